use super::*;
use futures_util::FutureExt;

/// An input that tells of each read, and gives what a test types.
struct Keyboard {
    reads: mpsc::Sender<()>,
    typed: mpsc::Receiver<&'static str>,
}

impl Read for Keyboard {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let _ = self.reads.send(()); // a test may have seen enough
        let Ok(line) = self.typed.recv() else { return Ok(0) };
        into[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

fn keyboard() -> (Lines, mpsc::Sender<&'static str>, mpsc::Receiver<()>) {
    let ((reads, seen), (keys, typed)) = (mpsc::channel(), mpsc::channel());
    (Lines::of(io::BufReader::new(Keyboard { reads, typed })).unwrap(), keys, seen)
}

#[tokio::test]
async fn a_line_that_comes_too_late_is_for_the_next_who_asks() {
    let (lines, keys, reads) = keyboard();
    let mut left = Box::pin(lines.next());
    assert!((&mut left).now_or_never().is_none());
    reads.recv().unwrap();
    drop(left);
    keys.send("hello\r\n").unwrap();
    assert_eq!(lines.next().await.unwrap().unwrap(), "hello");
    drop(keys);
    assert_eq!(lines.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_line_that_nobody_waits_for_is_not_read() {
    let (lines, keys, reads) = keyboard();
    let (mut first, mut second) = (Box::pin(lines.next()), Box::pin(lines.next()));
    assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
    drop(second);
    keys.send("a\n").unwrap();
    keys.send("b\n").unwrap();
    assert_eq!(first.await.unwrap().unwrap(), "a");
    drop(lines);
    assert_eq!(reads.iter().count(), 1, "`b` stays for others");
}
