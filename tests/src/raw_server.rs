use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// A loopback server that answers in whatever bytes a test wants, and keeps what it was sent.
pub struct RawServer {
    url: String,
    requests: Arc<Mutex<Vec<Vec<u8>>>>,
    connections: Arc<Mutex<usize>>,
    stop: Arc<AtomicBool>,
    accepting: Option<JoinHandle<()>>,
}

/// What the server does with a request.
#[derive(Clone)]
pub enum Answer {
    /// Sends these bytes and keeps the connection open.
    Bytes(Vec<u8>),
    /// Sends these bytes and closes.
    BytesThenClose(Vec<u8>),
    /// Sends these bytes and says nothing more, until the client goes away.
    BytesThenSilence(Vec<u8>),
    /// Resets the connection.
    Reset,
}

impl RawServer {
    /// Answers each request, of whatever connection, by what `answer` says to it.
    pub fn start(answer: impl Fn(&[u8]) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free loopback port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let connections = Arc::new(Mutex::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let accepting = std::thread::spawn({
            let (requests, connections, stop) = (requests.clone(), connections.clone(), stop.clone());
            let answer = Arc::new(answer);
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    *connections.lock().unwrap() += 1;
                    let (requests, answer, stop) = (requests.clone(), answer.clone(), stop.clone());
                    std::thread::spawn(move || serve(stream, &requests, &*answer, &stop));
                }
            }
        });
        RawServer { url, requests, connections, stop, accepting: Some(accepting) }
    }

    /// Where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Every request so far, byte for byte.
    pub fn requests(&self) -> Vec<Vec<u8>> {
        self.requests.lock().unwrap().clone()
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Drop for RawServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(self.url.trim_start_matches("http://"));
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

/// A whole HTTP answer.
pub fn http(status: u16, content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status} Whatever\r\ncontent-type: {content_type}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

fn serve(
    mut stream: TcpStream,
    requests: &Mutex<Vec<Vec<u8>>>,
    answer: &(impl Fn(&[u8]) -> Answer + ?Sized),
    stop: &AtomicBool,
) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    let mut received = Vec::new();
    while let Some(length) = read_request(&mut stream, &mut received, stop) {
        let request: Vec<u8> = received.drain(..length).collect();
        let reply = answer(&request);
        requests.lock().unwrap().push(request);
        match reply {
            Answer::Bytes(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Answer::BytesThenClose(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Answer::BytesThenSilence(bytes) => {
                let _ = stream.write_all(&bytes);
                // Until the client closes: the read ends, or fails otherwise than by its time-out.
                while !stop.load(Ordering::SeqCst) && more(&mut stream, &mut received) {}
                return;
            }
            Answer::Reset => {
                reset(&stream);
                return;
            }
        }
    }
}

/// Reads until one request is whole; its length, or nothing when the connection is over.
fn read_request(stream: &mut TcpStream, received: &mut Vec<u8>, stop: &AtomicBool) -> Option<usize> {
    loop {
        if let Some(head) = received.windows(4).position(|four| four == b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
            let length = text
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
            let whole = head + 4 + length.unwrap_or(0);
            if received.len() >= whole {
                return Some(whole);
            }
        }
        if stop.load(Ordering::SeqCst) || !more(stream, received) {
            return None;
        }
    }
}

/// Reads what is there; false when the connection is over.
fn more(stream: &mut TcpStream, received: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 65536];
    match stream.read(&mut buffer) {
        Ok(0) => false,
        Ok(n) => {
            received.extend_from_slice(&buffer[..n]);
            true
        }
        Err(error) => {
            matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
        }
    }
}

/// The next close of this socket is a reset.
fn reset(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let _ = socket.set_linger(Some(Duration::ZERO));
}
