use super::*;
use proptest::prelude::*;
use rustix::fs::{FileType, Mode};
use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    path::Path,
};

const UID: &str = "0f3b7a52-8a53-4f0e-9d55-1f2d3c4b5a69";

fn at() -> Timestamp {
    "2026-05-27T17:03:48.123456Z".parse().unwrap()
}

fn owner() -> Owner {
    Owner::new("web-client", UID).unwrap()
}

fn settings(directory: &Path) -> CaptureSettings {
    CaptureSettings { directory: directory.join("logs"), shared: None, preserve: false }
}

fn text(capture: &Capture, stream: Stream) -> String {
    fs::read_to_string(capture.path(&owner(), stream)).unwrap()
}

#[tokio::test]
async fn each_stream_has_its_file_and_only_its_owner_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    let writer = capture.open(&owner()).await.unwrap();
    writer.line(Stream::Stdout, "hello", at());
    writer.line(Stream::Stderr, "oops\n", at());
    writer.line(Stream::Stdout, "two\nthree", at());
    writer.line(Stream::System, "started", at());
    capture.flush().await;
    let moment = "2026-05-27T17:03:48.123Z";
    assert_eq!(
        text(&capture, Stream::Stdout),
        format!("1 {moment} hello\n2 {moment} two\n3 {moment} three\n")
    );
    assert_eq!(text(&capture, Stream::Stderr), format!("1 {moment} oops\n"));
    assert_eq!(text(&capture, Stream::System), format!("1 {moment} started\n"));
    for stream in Stream::ALL {
        let path = capture.path(&owner(), stream);
        assert!(path.is_absolute());
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600);
    }
    let mode = fs::metadata(directory.path().join("logs")).unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o700);
}

#[tokio::test]
async fn a_capture_goes_on_in_the_next_life_and_ends_with_its_writer() {
    let directory = tempfile::tempdir().unwrap();
    for life in 1..=3 {
        let capture = Capture::start(&settings(directory.path()));
        let writer = capture.open(&owner()).await.unwrap();
        assert!(matches!(capture.open(&owner()).await, Err(OpenCaptureError::Twice)));
        writer.line(Stream::Stdout, format!("life {life}"), at());
        drop(writer);
        // Opening again, without a flush, does not lose count either.
        let writer = capture.open(&owner()).await.unwrap();
        writer.line(Stream::Stdout, format!("life {life} again"), at());
        capture.flush().await;
        let numbers: Vec<_> = text(&capture, Stream::Stdout)
            .lines()
            .map(|line| line.split(' ').next().unwrap().parse::<i32>().unwrap())
            .collect();
        assert_eq!(numbers, (1..=2 * life).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn lines_after_the_end_are_lost() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    let writer = capture.open(&owner()).await.unwrap();
    writer.line(Stream::Stdout, "before", at());
    capture.remove(&owner()).await.unwrap();
    writer.line(Stream::Stdout, "after", at());
    capture.flush().await;
    assert_eq!(fs::read_dir(directory.path().join("logs")).unwrap().count(), 0);
    assert!(!capture.holds(&owner(), Stream::Stdout));
}

#[tokio::test]
async fn files_are_made_never_taken() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    fs::create_dir(directory.path().join("logs")).unwrap();
    let victim = directory.path().join("victim");
    fs::write(&victim, "theirs").unwrap();
    let path = capture.path(&owner(), Stream::Stdout);
    symlink(&victim, &path).unwrap();
    assert!(matches!(capture.open(&owner()).await, Err(OpenCaptureError::Begin { .. })));
    assert!(capture.read(&owner(), Stream::Stdout).is_err());
    // Neither a second name of a file, nor a file that blocks its reader.
    fs::remove_file(&path).unwrap();
    fs::hard_link(&victim, &path).unwrap();
    assert!(matches!(capture.open(&owner()).await, Err(OpenCaptureError::Begin { .. })));
    assert!(capture.read(&owner(), Stream::Stdout).is_err());
    fs::remove_file(&path).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    assert!(capture.read(&owner(), Stream::Stdout).is_err());
    capture.remove(&owner()).await.unwrap();
    assert_eq!(fs::read_to_string(&victim).unwrap(), "theirs");
    assert_eq!(fs::metadata(&victim).unwrap().nlink(), 1);
    assert!(capture.open(&owner()).await.is_ok());
}

#[tokio::test]
async fn preserved_files_stay() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&CaptureSettings { preserve: true, ..settings(directory.path()) });
    let _writer = capture.open(&owner()).await.unwrap();
    capture.remove(&owner()).await.unwrap();
    assert_eq!(capture.sweep(HashSet::new()).await.unwrap(), 0);
    assert!(Stream::ALL.iter().all(|stream| capture.holds(&owner(), *stream)));
}

#[tokio::test]
async fn only_files_without_an_object_are_swept() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    assert_eq!(capture.sweep(HashSet::new()).await.unwrap(), 0, "there is no directory yet");
    drop(capture.open(&owner()).await.unwrap());
    drop(capture.open(&Owner::new("other", "gone").unwrap()).await.unwrap());
    let stranger = directory.path().join("logs/notes.txt");
    fs::write(&stranger, "").unwrap();
    assert_eq!(capture.sweep(HashSet::from([UID.to_owned()])).await.unwrap(), 3);
    assert!(stranger.exists() && capture.holds(&owner(), Stream::System));
    assert_eq!(fs::read_dir(directory.path().join("logs")).unwrap().count(), 4);
}

#[tokio::test]
async fn a_shared_directory_is_used_if_it_is_there_and_never_swept() {
    let directory = tempfile::tempdir().unwrap();
    let shared = directory.path().join("dcp");
    let settings = CaptureSettings { shared: Some(shared.clone()), ..settings(directory.path()) };
    assert!(Capture::start(&settings).path(&owner(), Stream::Stdout).starts_with(&settings.directory));
    fs::create_dir(&shared).unwrap();
    let capture = Capture::start(&settings);
    drop(capture.open(&owner()).await.unwrap());
    assert!(capture.path(&owner(), Stream::Stdout).starts_with(&shared));
    assert_eq!(capture.sweep(HashSet::new()).await.unwrap(), 0);
    assert!(capture.holds(&owner(), Stream::Stdout));
}

#[tokio::test(start_paused = true)]
async fn removal_is_tried_again_and_gives_up() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    // A directory in the place of the file cannot be removed as a file, not even by root.
    let path = capture.path(&owner(), Stream::Stdout);
    fs::create_dir_all(&path).unwrap();
    let began = tokio::time::Instant::now();
    assert!(matches!(capture.remove(&owner()).await, Err(RemoveCaptureError::Remove(_))));
    assert_eq!(began.elapsed(), RETRIES);
    let removing = capture.clone();
    let removing = tokio::spawn(async move { removing.remove(&owner()).await });
    tokio::time::sleep(FIRST_RETRY * 2).await;
    fs::remove_dir(&path).unwrap();
    removing.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_cannot_be_written_is_counted_and_said_when_it_can() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    let writer = capture.open(&owner()).await.unwrap();
    let path = capture.path(&owner(), Stream::Stdout);
    let aside = directory.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    fs::create_dir(&path).unwrap();
    for line in ["a", "b"] {
        writer.line(Stream::Stdout, line, at());
        capture.flush().await;
    }
    fs::remove_dir(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    writer.line(Stream::Stdout, "c", at());
    capture.flush().await;
    let text = text(&capture, Stream::Stdout);
    let lines: Vec<_> = text.lines().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
    assert_eq!(lines, ["[2 left out: they could not be written]", "c"]);
}

/// Nothing writes while the test holds the files, so all lines have to find a place or be counted.
#[tokio::test(flavor = "multi_thread")]
async fn a_flood_never_blocks_and_is_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    let writer = capture.open(&owner()).await.unwrap();
    let other = capture.open(&Owner::new("other", "2").unwrap()).await.unwrap();
    let line = "x".repeat(1000);
    {
        let _stuck = writer.entry.files.lock();
        for _ in 0..10_000 {
            writer.line(Stream::Stdout, line.as_str(), at());
        }
        other.line(Stream::Stdout, "me too", at());
        let waiting = capture.shared.disk.waiting.load(Ordering::Relaxed);
        assert!(waiting < 3 * super::super::buffer::MAX_BYTES, "{waiting}");
    }
    capture.flush().await;
    assert_eq!(capture.shared.disk.waiting.load(Ordering::Relaxed), 0);
    let text = text(&capture, Stream::Stdout);
    let kept = text.lines().filter(|text| text.ends_with(&line)).count();
    let lost: usize = text
        .lines()
        .filter_map(|line| line.split_once('[')?.1.split(' ').next()?.parse::<usize>().ok())
        .sum();
    assert!(kept > 100 && kept + lost == 10_000, "{kept} + {lost}");
    let others = capture.path(&Owner::new("other", "2").unwrap(), Stream::Stdout);
    assert!(fs::read_to_string(others).unwrap().ends_with("me too\n"));
}

#[tokio::test]
async fn updates_arrive_from_before_the_capture_to_after_its_end() {
    let directory = tempfile::tempdir().unwrap();
    let capture = Capture::start(&settings(directory.path()));
    let mut updates = capture.updates(&owner());
    let _stranger = capture.open(&Owner::new("other", "2").unwrap()).await.unwrap();
    assert!(futures::poll!(Box::pin(updates.wait())).is_pending());
    let writer = capture.open(&owner()).await.unwrap();
    updates.wait().await;
    assert!(futures::poll!(Box::pin(updates.wait())).is_pending());
    writer.line(Stream::Stdout, "x", at());
    updates.wait().await;
    drop(writer);
    updates.wait().await;
    assert!(futures::poll!(Box::pin(updates.wait())).is_pending());
    let _again = capture.open(&owner()).await.unwrap();
    updates.wait().await;
}

#[test]
fn nothing_is_kept_of_what_a_name_says() {
    // The property of the names holds for paths: whatever the name, the file is in the directory.
    let directory = Directory::choose(Path::new("/var/lib/logs"), None);
    proptest!(|(name in ".{0,40}", uid in ".{0,40}")| {
        if let Ok(owner) = Owner::new(&name, &uid) {
            for stream in Stream::ALL {
                let path = directory.file(&owner, stream);
                prop_assert_eq!(path.parent(), Some(Path::new("/var/lib/logs")));
            }
        }
    });
}
