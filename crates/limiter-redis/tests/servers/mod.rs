//! The servers that the tests talk to: a real one, and one whose clock and answers a test can bend.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use activity_status::builtin::SystemClock;
use activity_status::plugin::Clock;

/// A real server on a port of its own. It ends with its test, however that ends.
pub(crate) struct Redis {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    options: Vec<String>,
    child: Child,
}

impl Redis {
    pub(crate) fn start(options: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        let options: Vec<String> = options.iter().map(ToString::to_string).collect();
        let child = spawn(port, folder.path(), &options);
        let redis = Redis { port, folder, options, child };
        redis.wait_until_ready();
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// As in a crash: what was not saved is lost.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// With the data that was saved last.
    pub(crate) fn start_again(&mut self) {
        self.child = spawn(self.port, self.folder.path(), &self.options);
        self.wait_until_ready();
    }

    fn wait_until_ready(&self) {
        for _ in 0..500 {
            if is_ready(self.port) {
                return;
            }
            SystemClock::new().sleep(Duration::from_millis(10)).unwrap();
        }
        panic!("redis-server does not answer on port {}", self.port);
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    pub(crate) fn command(&self, words: &[&str]) -> redis::Value {
        let mut connection = redis::Client::open(self.url()).unwrap().get_connection().unwrap();
        let mut command = redis::cmd(words[0]);
        command.arg(&words[1..]);
        command.query(&mut connection).unwrap()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(port: u16, folder: &std::path::Path, options: &[String]) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"])
        .arg(folder)
        .args(options)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!("these tests need redis-server (apt-get install redis-server): {error}")
        })
}

fn is_ready(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { return false };
    let mut answer = [0; 1];
    stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut answer).is_ok()
}

/// Answers the script as a server would, with a clock that can be set.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) port: u16,
    pub(crate) state: Arc<Mutex<ModelState>>,
}

pub(crate) struct ModelState {
    pub(crate) stored: Vec<u8>,
    pub(crate) run_id: String,
    /// Its clock before ours.
    pub(crate) ahead: Duration,
    /// So many writes are done and not answered: the connection closes.
    pub(crate) lost_answers: u32,
    /// The next write is answered so late.
    pub(crate) slow_answer: Duration,
    /// How long everything takes there, and again back.
    pub(crate) way: Duration,
    /// In place of any answer.
    pub(crate) error: Option<String>,
    pub(crate) asked: u32,
}

impl Model {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = ModelState {
            stored: Vec::new(),
            run_id: "first".to_owned(),
            ahead: Duration::from_secs(100_000),
            lost_answers: 0,
            slow_answer: Duration::ZERO,
            way: Duration::ZERO,
            error: None,
            asked: 0,
        };
        let model = Model { port, state: Arc::new(Mutex::new(state)) };
        let serving = model.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let model = serving.clone();
                std::thread::spawn(move || model.serve(stream));
            }
        });
        model
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut ModelState)) {
        change(&mut self.state.lock().unwrap());
    }

    fn serve(&self, stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream;
        while let Some(words) = read_command(&mut reader) {
            let way = self.state.lock().unwrap().way;
            SystemClock::new().sleep(way).unwrap();
            let Some(answer) = self.answer(&words) else { return };
            SystemClock::new().sleep(way).unwrap();
            if writer.write_all(&answer).is_err() {
                return;
            }
        }
    }

    fn answer(&self, words: &[Vec<u8>]) -> Option<Vec<u8>> {
        let mut state = self.state.lock().unwrap();
        state.asked += 1;
        if let Some(error) = &state.error {
            return Some(format!("-{error}\r\n").into_bytes());
        }
        let time = SystemClock::new().now() + state.ahead;
        let found = state.stored.clone();
        let written = words.get(4).is_some_and(|expected| *expected == found);
        if written {
            state.stored = words[5].clone();
            if state.lost_answers > 0 {
                state.lost_answers -= 1;
                return None;
            }
        }
        let late = if written { std::mem::take(&mut state.slow_answer) } else { Duration::ZERO };
        let mut answer = b"*5\r\n".to_vec();
        let (seconds, micros) = (time.as_secs().to_string(), time.subsec_micros().to_string());
        for part in [state.run_id.as_bytes(), seconds.as_bytes(), micros.as_bytes()] {
            bulk(&mut answer, part);
        }
        answer.extend_from_slice(format!(":{}\r\n", u8::from(written)).as_bytes());
        bulk(&mut answer, &found);
        drop(state);
        SystemClock::new().sleep(late).unwrap();
        Some(answer)
    }
}

/// A server that is none: its port.
pub(crate) fn odd(behave: impl Fn(TcpStream) + Send + Sync + Copy + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || behave(stream));
        }
    });
    port
}

fn bulk(answer: &mut Vec<u8>, part: &[u8]) {
    answer.extend_from_slice(format!("${}\r\n", part.len()).as_bytes());
    answer.extend_from_slice(part);
    answer.extend_from_slice(b"\r\n");
}

fn read_command(reader: &mut impl BufRead) -> Option<Vec<Vec<u8>>> {
    let number = |reader: &mut dyn BufRead| {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        line.get(1..)?.trim().parse::<usize>().ok()
    };
    let count = number(reader)?;
    let mut word = || {
        let length = number(reader)?;
        let mut word = vec![0; length + 2];
        reader.read_exact(&mut word).ok()?;
        word.truncate(length);
        Some(word)
    };
    (0..count).map(|_| word()).collect()
}
