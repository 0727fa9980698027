//! The console's way in from inside the pod: a Unix socket that only its owner may open. Whoever may `kubectl exec` may
//! ask; that is Kubernetes' question, and no certificate answers it better.
//!
//! Frames as over QUIC: one question in, answers out until the end. Bounded as there: connections, frames and time.

use crate::ports::AdminCall;
use bytes::Bytes;
use shared::wire::MAX_FRAME_BYTES;
use shell::{link::Role, quic::QUESTION_BYTES};
use std::{
    fs, io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{UnixListener, UnixStream},
    sync::{Semaphore, mpsc},
    time::timeout,
};

/// Consoles at a time, as many as one admin may have sessions; further ones wait in the kernel's queue.
const CONNECTIONS: usize = 16;
/// Until the question is read, as over QUIC.
const QUESTION_LIMIT: Duration = shell::quic::HELLO_LIMIT;
/// A whole conversation: nobody keeps a place for ever. A verification and a scan wait 130 s for planes.
const CONVERSATION_LIMIT: Duration = Duration::from_secs(180);
/// Answers that may wait for a slow console.
const ANSWERS: usize = 16;
/// Who asks, in the log.
const WHO: &str = "the local socket";

/// Takes the path; needs a tokio runtime. A file that nobody listens behind is what a dead process left, and is replaced.
///
/// # Errors
/// `AddrInUse` when another coordinator answers there.
pub fn bind(path: &Path) -> io::Result<UnixListener> {
    if std::os::unix::net::UnixStream::connect(path).is_ok() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "another coordinator listens there"));
    }
    // Made where nobody else can reach it, and moved when its rights are set: there is no moment at which all may ask.
    let private = private_folder(path)?;
    let made = private.join("s");
    let bound = UnixListener::bind(&made).and_then(|listener| {
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(listener)
    });
    let _only_litter = fs::remove_dir_all(&private);
    bound
}

fn private_folder(path: &Path) -> io::Result<PathBuf> {
    let nowhere = || io::Error::new(io::ErrorKind::InvalidInput, "no path of a file");
    let (parent, name) = (path.parent().ok_or_else(nowhere)?, path.file_name().ok_or_else(nowhere)?);
    // The first process of every container has the same number.
    let folder = parent.join(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
    let _of_a_process_that_died = fs::remove_dir_all(&folder);
    fs::DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

/// Hands on whoever asks, until the coordinator is gone.
pub async fn serve(listener: UnixListener, admins: mpsc::Sender<AdminCall>) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    while let Ok(place) = places.clone().acquire_owned().await {
        let accepted = tokio::select! {
            () = admins.closed() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let admins = admins.clone();
                tokio::spawn(async move {
                    let _place = place;
                    // Errors here are the console's: it went away, or it is none.
                    let _ = timeout(CONVERSATION_LIMIT, converse(stream, admins)).await;
                });
            }
            Err(error) => {
                tracing::warn!(%error, "console not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn converse(mut stream: UnixStream, admins: mpsc::Sender<AdminCall>) -> io::Result<()> {
    let Some(body) = timeout(QUESTION_LIMIT, read(&mut stream, QUESTION_BYTES)).await?? else { return Ok(()) };
    let (reply, mut answers) = mpsc::channel(ANSWERS);
    if admins.send(AdminCall { who: WHO.to_owned(), role: Role::Admin, body, reply }).await.is_err() {
        return Ok(());
    }
    while let Some(answer) = answers.recv().await {
        write(&mut stream, &answer).await?;
    }
    stream.shutdown().await
}

/// Asks the coordinator behind a socket one question.
///
/// # Errors
/// Nobody listens, nobody answers within `limit`, or what comes is no answer.
pub async fn ask(path: &Path, question: &[u8], limit: Duration) -> io::Result<Bytes> {
    let asked = async {
        let mut stream = UnixStream::connect(path).await?;
        write(&mut stream, question).await?;
        let ended = || io::Error::new(io::ErrorKind::UnexpectedEof, "the coordinator ended without an answer");
        read(&mut stream, MAX_FRAME_BYTES).await?.ok_or_else(ended)
    };
    timeout(limit, asked).await.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time")))
}

/// One frame of at most `limit` bytes; `None`: the other side has ended.
async fn read(stream: &mut (impl AsyncRead + Unpin), limit: usize) -> io::Result<Option<Bytes>> {
    let length = match stream.read_u32().await {
        Ok(length) => usize::try_from(length).unwrap_or(usize::MAX),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(error) => return Err(error),
    };
    if length > limit {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {length} bytes is too large")));
    }
    let mut frame = vec![0; length];
    stream.read_exact(&mut frame).await?;
    Ok(Some(frame.into()))
}

async fn write(stream: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).ok().filter(|_| frame.len() <= MAX_FRAME_BYTES);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a frame is too large"))?;
    stream.write_u32(length).await?;
    stream.write_all(frame).await
}

#[cfg(test)]
mod tests;
