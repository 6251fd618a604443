//! TCP, whose every wait ends when the exchange is over. TLS goes above it.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::mem;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

use super::interruption::{Interruption, SLICE};
use crate::builtin::SystemClock;
use crate::plugin::Clock;

/// Connects, unless something before it in the chain has.
#[derive(Debug)]
pub(super) struct SocketConnector(pub(super) Interruption);

impl<In: Transport> Connector<In> for SocketConnector {
    type Out = Either<In, Socket>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        if chained.is_some() {
            return Ok(chained.map(Either::A));
        }
        let (addresses, time) = (details.addrs.to_vec(), *details.timeout.after);
        let connected = self.0.aside(details.timeout, move || connected(&addresses, time))?;
        let stream = connected.map_err(|error| match error.kind() {
            ErrorKind::TimedOut => ureq::Error::Timeout(details.timeout.reason),
            _ => ureq::Error::Io(error),
        })?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(SLICE))?;
        stream.set_write_timeout(Some(SLICE))?;
        let buffers =
            LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        let interruption = self.0.clone();
        Ok(Some(Either::B(Socket { stream, buffers, interruption, has_just_heard: false })))
    }
}

/// A connection to the first address that takes one. Each gets half of the time that is left, the last one all of it.
fn connected(addresses: &[SocketAddr], time: Duration) -> io::Result<TcpStream> {
    let clock = SystemClock::new();
    let until = clock.now().saturating_add(time);
    let mut last = ErrorKind::AddrNotAvailable.into();
    for (place, address) in addresses.iter().enumerate() {
        let left = until.saturating_sub(clock.now());
        let time = if place + 1 == addresses.len() { left } else { left / 2 };
        match TcpStream::connect_timeout(address, time.max(Duration::from_millis(10))) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A connection, whose reads and writes return after a slice at the latest.
pub(super) struct Socket {
    stream: TcpStream,
    buffers: LazyBuffers,
    interruption: Interruption,
    /// It was read from, and has not been asked since whether it is open.
    has_just_heard: bool,
}

impl Transport for Socket {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        let mut rest = &self.buffers.output()[..amount];
        while !rest.is_empty() {
            let sent = in_slices(&self.interruption, timeout, || (&self.stream).write(rest))?;
            if sent == 0 {
                return Err(io::Error::from(ErrorKind::WriteZero).into());
            }
            rest = &rest[sent..];
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let input = self.buffers.input_append_buf();
        let read = in_slices(&self.interruption, timeout, || (&self.stream).read(input))?;
        self.buffers.input_appended(read);
        self.has_just_heard = read > 0;
        Ok(self.has_just_heard)
    }

    /// It is asked when an answer has come, and again before the next request goes out: the second time is soon enough.
    /// An idle connection has nothing to say, and an end or anything else that can be read makes it unfit.
    fn is_open(&mut self) -> bool {
        if mem::take(&mut self.has_just_heard) {
            return true;
        }
        let has_nothing = |mut stream: &TcpStream| {
            stream.set_nonblocking(true)?;
            let read = stream.read(&mut [0]);
            stream.set_nonblocking(false)?;
            Ok::<_, io::Error>(read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock))
        };
        has_nothing(&self.stream).unwrap_or(false)
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("peer", &self.stream.peer_addr().ok()).finish()
    }
}

/// Reads or writes; if it is only that a slice has passed, again, until the time is up or the exchange over.
fn in_slices(
    interruption: &Interruption,
    timeout: NextTimeout,
    mut attempt: impl FnMut() -> io::Result<usize>,
) -> Result<usize, ureq::Error> {
    let clock = SystemClock::new();
    let until = clock.now().saturating_add(*timeout.after);
    loop {
        match attempt() {
            Ok(done) => return Ok(done),
            // A signal that came is a reason to ask as well.
            Err(error)
                if [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted]
                    .contains(&error.kind()) =>
            {
                interruption.check()?;
            }
            Err(error) => return Err(error.into()),
        }
        if clock.now() >= until {
            return Err(ureq::Error::Timeout(timeout.reason));
        }
    }
}
