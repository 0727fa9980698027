use super::*;
use std::os::unix::fs::FileTypeExt;

struct Served {
    path: PathBuf,
    calls: mpsc::Receiver<AdminCall>,
    _folder: tempfile::TempDir,
}

fn served() -> Served {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.sock");
    let (admins, calls) = mpsc::channel(1);
    tokio::spawn(serve(bind(&path).unwrap(), admins));
    Served { path, calls, _folder: folder }
}

#[tokio::test]
async fn one_question_one_answer_and_only_the_owner_may_ask() {
    let mut served = served();
    let meta = fs::metadata(&served.path).unwrap();
    assert!(meta.file_type().is_socket());
    assert_eq!(meta.permissions().mode() & 0o777, 0o600);
    let left: Vec<_> = fs::read_dir(served.path.parent().unwrap()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["console.sock"], "no litter");
    let asking = tokio::spawn({
        let path = served.path.clone();
        async move { ask(&path, b"what?", Duration::from_secs(5)).await }
    });
    let call = served.calls.recv().await.unwrap();
    assert_eq!((call.who.as_str(), &call.body[..]), (WHO, &b"what?"[..]));
    call.reply.send(Bytes::from_static(b"that")).await.unwrap();
    drop(call);
    assert_eq!(asking.await.unwrap().unwrap(), "that");
}

#[tokio::test]
async fn what_a_dead_process_left_is_replaced_and_a_live_one_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("console.sock");
    drop(bind(&path).unwrap());
    assert!(path.exists(), "a socket's file outlives it");
    let listener = bind(&path).unwrap();
    assert_eq!(bind(&path).unwrap_err().kind(), io::ErrorKind::AddrInUse);
    drop(listener);
    assert!(bind(&folder.path().join("no/such/folder.sock")).is_err());
}

#[tokio::test]
async fn a_frame_over_the_limit_ends_the_conversation() {
    let mut served = served();
    // A question is bounded as over QUIC, not as an answer is.
    for length in [u32::MAX, QUESTION_BYTES as u32 + 1] {
        let mut stream = UnixStream::connect(&served.path).await.unwrap();
        stream.write_u32(length).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "closed");
    }
    assert!(served.calls.try_recv().is_err(), "nobody was asked");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_ask_keeps_no_place() {
    let served = served();
    let mut silent = Vec::new();
    for _ in 0..CONNECTIONS {
        silent.push(UnixStream::connect(&served.path).await.unwrap());
    }
    for mut stream in silent {
        // Time passes by itself once everybody waits.
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0, "given up");
    }
    let mut served = served;
    let asking = tokio::spawn({
        let path = served.path.clone();
        async move { ask(&path, b"what?", Duration::from_secs(60)).await }
    });
    assert_eq!(&served.calls.recv().await.unwrap().body[..], b"what?");
    asking.abort();
}

#[tokio::test(start_paused = true)]
async fn no_answer_is_said_in_time() {
    let mut served = served();
    let path = served.path.clone();
    let asking = tokio::spawn(async move { ask(&path, b"what?", Duration::from_secs(10)).await });
    let _kept = served.calls.recv().await.unwrap();
    assert_eq!(asking.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    assert!(ask(Path::new("/nowhere/console.sock"), b"", Duration::from_secs(1)).await.is_err());
}
