use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, Weak};
use std::thread::Builder;
use std::time::Duration;

use super::limiter::lock;

/// Whoever waits here for the other side waits no longer: by then it has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A server on the loopback, while a check runs.
pub(super) struct Server {
    address: SocketAddr,
    arrived: Mutex<Vec<Arc<Arrived>>>,
    /// Those that were accepted, until nobody is served any more.
    open: Mutex<Option<Vec<Weak<TcpStream>>>>,
}

/// A request, as it arrived.
#[derive(Debug, Default)]
pub(super) struct Arrived {
    pub(super) method: String,
    pub(super) target: String,
    /// Names as they came, and values byte for byte.
    pub(super) headers: Vec<(String, Vec<u8>)>,
    pub(super) body: Vec<u8>,
}

/// What happens to a connection after an answer.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Then {
    Keep,
    Close,
}

/// Answers each request by what `answer` writes, until `work` is done.
pub(super) fn serve<T>(
    answer: impl Fn(&Arrived, &mut &TcpStream) -> io::Result<Then> + Sync,
    work: impl FnOnce(&Server) -> Result<T, String>,
) -> Result<T, String> {
    serve_reading(usize::MAX, answer, work)
}

/// The same, but of a body it reads no more than so many bytes before it answers.
pub(super) fn serve_reading<T>(
    most: usize,
    answer: impl Fn(&Arrived, &mut &TcpStream) -> io::Result<Then> + Sync,
    work: impl FnOnce(&Server) -> Result<T, String>,
) -> Result<T, String> {
    let no_server = |error: io::Error| format!("no server could be started on the loopback: {error}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(no_server)?;
    let address = listener.local_addr().map_err(no_server)?;
    let server = &Server { address, arrived: Mutex::default(), open: Mutex::new(Some(Vec::new())) };
    let (listener, answer) = (&listener, &answer);
    std::thread::scope(|scope| {
        let _stop = Stop(server);
        let accept = move || {
            for stream in listener.incoming() {
                let Some(stream) = stream.ok().and_then(|stream| server.keep(stream)) else { return };
                // Without a thread the stream is dropped, and the other side sees its end.
                let _ = Builder::new().spawn_scoped(scope, move || server.talk(&stream, most, answer));
            }
        };
        Builder::new().spawn_scoped(scope, accept).map_err(no_server)?;
        work(server)
    })
}

impl Server {
    pub(super) fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.address)
    }

    /// Every request so far.
    pub(super) fn arrived(&self) -> Vec<Arc<Arrived>> {
        lock(&self.arrived).clone()
    }

    /// Remembers a connection, to end it; none if the end has come already.
    fn keep(&self, stream: TcpStream) -> Option<Arc<TcpStream>> {
        let stream = Arc::new(stream);
        lock(&self.open).as_mut()?.push(Arc::downgrade(&stream));
        Some(stream)
    }

    fn talk(
        &self,
        mut stream: &TcpStream,
        most: usize,
        answer: &(impl Fn(&Arrived, &mut &TcpStream) -> io::Result<Then> + Sync),
    ) {
        let mut talk = || -> io::Result<()> {
            stream.set_nodelay(true)?;
            loop {
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                let arrived = Arc::new(receive(stream, most)?);
                lock(&self.arrived).push(arrived.clone());
                if answer(&arrived, &mut stream)? == Then::Close {
                    return Ok(());
                }
            }
        };
        // A connection that fails ends here; what the other side makes of it is for the check to see.
        let _ = talk();
    }
}

/// Ends every connection, so that no thread outlives the check, by a panic neither.
struct Stop<'a>(&'a Server);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        for stream in lock(&self.0.open).take().iter().flatten().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        // Wakes the thread that accepts.
        let _ = TcpStream::connect_timeout(&self.0.address, PATIENCE);
    }
}

const MOST_HEAD: usize = 64 * 1024;

fn receive(mut stream: &TcpStream, most: usize) -> io::Result<Arrived> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        head.extend(byte);
        if head.len() > MOST_HEAD {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let first = text(lines.next().unwrap_or_default());
    let (method, rest) = first.split_once(' ').unwrap_or_default();
    let target = rest.strip_suffix(" HTTP/1.1").unwrap_or(rest);
    let header = |line: &[u8]| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        Some((text(&line[..colon]), line[colon + 1..].trim_ascii().to_vec()))
    };
    let mut arrived = Arrived {
        method: method.to_owned(),
        target: target.to_owned(),
        headers: lines.filter_map(header).collect(),
        body: Vec::new(),
    };
    if arrived.header("expect").is_some() {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length = arrived.header("content-length").and_then(|length| text(length).parse::<usize>().ok());
    let length = length.unwrap_or(0).min(most);
    stream.take(length as u64).read_to_end(&mut arrived.body)?;
    if arrived.body.len() < length { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(arrived) }
}

impl Arrived {
    /// The value of the first header of this name (in lower case).
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }
}
