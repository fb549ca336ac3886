//! `vauban demo`: shows the difference, and leaves nothing behind.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::PROGRAM;
use crate::lab::PATIENCE;
use crate::process::{Running, command, finish, finish_as, needs, wait_until};

/// Two scans of a thousand ports take seconds; a busy machine gets more.
const LONGEST: Duration = Duration::from_secs(60);

/// Namespaces and folders of the demo that this process runs.
fn traces(id: u32) -> Vec<PathBuf> {
    let begins = format!("vauban-demo-{id}");
    [Path::new("/run/netns"), &std::env::temp_dir()]
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok())
        .flatten()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(&begins))
        .collect()
}

/// The tables of the machine that the tests run on.
fn tables() -> String {
    finish(command("nft list tables"), PATIENCE).success()
}

#[test]
#[ignore = "needs root"]
fn a_scan_without_and_with() {
    needs("nmap");
    let before = tables();
    let (id, done) = finish_as(command(&format!("{PROGRAM} demo --json")), LONGEST);
    assert_eq!(done.code, Some(0), "{done:?}");
    let shown: Value = serde_json::from_str(&done.out).unwrap();

    let count = |side: &str, what: &str| shown[side][what].as_u64().unwrap();
    let open = |side: &str| shown[side]["open"].as_array().unwrap().len();
    assert_eq!(open("without"), 5, "{shown:#}");
    assert_eq!(count("without", "closed"), 995, "{shown:#}");
    assert_eq!(count("without", "silent"), 0, "{shown:#}");
    assert!(open("with") >= 998, "{shown:#}");
    assert!(count("with", "closed") <= 2, "{shown:#}");
    assert_eq!(count("with", "silent"), 0, "{shown:#}");
    assert_eq!(shown["called"].as_array().unwrap().len(), 3, "{shown:#}");
    assert_eq!(shown["explain"]["state"], "banned", "{shown:#}");
    assert_eq!(shown["explain"]["ban"]["proven"], true, "{shown:#}");

    assert!(traces(id).is_empty(), "{:?}", traces(id));
    assert_eq!(tables(), before);
    assert_eq!(done.err, "", "nothing went wrong");
}

#[test]
#[ignore = "needs root"]
fn an_interrupted_one_cleans_up_as_well() {
    needs("nmap");
    for signal in ["INT", "TERM"] {
        let mut demo = command(&format!("{PROGRAM} demo"));
        demo.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut demo = Running::start(demo);
        let id = demo.id();
        wait_until("it has begun", Duration::from_secs(10), || traces(id).len() >= 2);
        demo.signal(signal);
        let status = demo.wait(LONGEST);
        assert_eq!(status.code(), Some(70), "{signal}: {status}");
        assert!(traces(id).is_empty(), "{signal}: {:?}", traces(id));
    }
}
