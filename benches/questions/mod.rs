//! Questions, many of which are on their way at once, and how they are asked.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use super::asking::{Result, message};

/// So many questions are on their way at once.
const WINDOW: usize = 64;

/// A question, and whether what it is about is listed.
pub struct Question {
    /// The identification, in its first two bytes, is given when it is asked.
    pub message: Vec<u8>,
    pub is_listed: bool,
}

/// Waits until the server at `address` answers.
pub fn wait(address: SocketAddr) -> Result<()> {
    let socket = connect(address, Duration::from_millis(50))?;
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_secs(60) {
        let _ = socket.send(&message(Ipv4Addr::new(11, 0, 0, 1), 1));
        if socket.recv(&mut [0; 512]).is_ok() {
            return Ok(());
        }
    }
    Err("it does not answer".into())
}

/// Asks all questions, and has `check` see each with its answer. One that is not there after `patience` is lost, which is an error.
pub fn ask(
    address: SocketAddr,
    patience: Duration,
    questions: &[Question],
    check: impl Fn(&Question, &[u8]) -> Result<()>,
) -> Result<()> {
    let socket = connect(address, patience)?;
    let mut message = Vec::new();
    for window in questions.chunks(WINDOW) {
        for (id, question) in window.iter().enumerate() {
            message.clear();
            message.extend_from_slice(&question.message);
            message[1] = id as u8;
            socket.send(&message)?;
        }
        for _ in window {
            let mut answer = [0; 512];
            socket.recv(&mut answer).map_err(|error| format!("an answer is lost: {error}"))?;
            check(&window[usize::from(answer[1])], &answer)?;
        }
    }
    Ok(())
}

fn connect(address: SocketAddr, patience: Duration) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(patience))?;
    Ok(socket)
}
