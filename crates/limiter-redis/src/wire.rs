//! A connection on which everything ends: at a moment, and after so many bytes. The redis crate's own is bounded for each read
//! alone, so that a server which drips never ends, and is not bounded in bytes.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::Clock;
use redis::{Cmd, ErrorKind, Parser, RedisError, Value};

#[cfg(feature = "tls")]
pub(crate) type Tls = std::sync::Arc<rustls::ClientConfig>;
/// There is none in this build.
#[cfg(not(feature = "tls"))]
#[derive(Clone)]
pub(crate) enum Tls {}

/// Our longest answer is the table: mostly a kilobyte, and 2.4 megabytes with 100,000 calls in flight, the most that a quota may have.
const MOST_BYTES: usize = 4 * 1024 * 1024;

pub(crate) enum Wire {
    Plain(Bounded),
    #[cfg(feature = "tls")]
    Tls(Box<rustls::StreamOwned<rustls::ClientConnection, Bounded>>),
}

impl Wire {
    /// Connects, for which there is as much time as for an exchange. What is asked then comes out of it, until
    /// [`bound`](Wire::bound) gives more.
    pub(crate) fn open(host: &str, port: u16, tls: Option<Tls>, longest: Duration) -> io::Result<Wire> {
        let clock = SystemClock::new();
        let addresses = (host, port).to_socket_addrs()?;
        let ends = clock.now() + longest;
        let mut connected = Err(io::ErrorKind::NotFound.into());
        for address in addresses {
            connected = time_left(&clock, ends).and_then(|left| TcpStream::connect_timeout(&address, left));
            if connected.is_ok() {
                break;
            }
        }
        let socket = connected?;
        socket.set_nodelay(true)?;
        let bounded = Bounded { socket, clock, ends, bytes: MOST_BYTES };
        match tls {
            None => Ok(Wire::Plain(bounded)),
            #[cfg(feature = "tls")]
            Some(config) => {
                let name = host.to_owned().try_into().map_err(io::Error::other)?;
                let connection = rustls::ClientConnection::new(config, name).map_err(io::Error::other)?;
                let mut stream = rustls::StreamOwned::new(connection, bounded);
                while stream.conn.is_handshaking() {
                    stream.conn.complete_io(&mut stream.sock)?;
                }
                Ok(Wire::Tls(Box::new(stream)))
            }
        }
    }

    /// What follows has to end within this time, and within so many bytes as the longest answer has.
    pub(crate) fn bound(&mut self, longest: Duration) {
        let bounded = self.bounded();
        (bounded.ends, bounded.bytes) = (bounded.clock.now() + longest, MOST_BYTES);
    }

    /// Sends a command and reads its answer. What the server refuses is an error.
    pub(crate) fn ask(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        let command = command.get_packed_command();
        let answer = match self {
            Wire::Plain(stream) => exchange(stream, &command),
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => exchange(stream.as_mut(), &command),
        };
        match answer {
            Err(_) if self.bounded().bytes == 0 => Err((ErrorKind::Parse, "too long").into()),
            answer => answer?.extract_error(),
        }
    }

    fn bounded(&mut self) -> &mut Bounded {
        match self {
            Wire::Plain(bounded) => bounded,
            #[cfg(feature = "tls")]
            Wire::Tls(stream) => &mut stream.sock,
        }
    }
}

fn exchange(stream: &mut (impl Read + Write), command: &[u8]) -> Result<Value, RedisError> {
    stream.write_all(command)?;
    stream.flush()?;
    Parser::new().parse_value(stream)
}

pub(crate) struct Bounded {
    socket: TcpStream,
    clock: SystemClock,
    ends: Duration,
    bytes: usize,
}

impl Read for Bounded {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.socket.set_read_timeout(Some(time_left(&self.clock, self.ends)?))?;
        let most = into.len().min(self.bytes);
        let read = self.socket.read(&mut into[..most])?;
        self.bytes -= read;
        Ok(read)
    }
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.set_write_timeout(Some(time_left(&self.clock, self.ends)?))?;
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

/// Never zero.
fn time_left(clock: &SystemClock, ends: Duration) -> io::Result<Duration> {
    match ends.saturating_sub(clock.now()) {
        Duration::ZERO => Err(io::ErrorKind::TimedOut.into()),
        left => Ok(left),
    }
}
