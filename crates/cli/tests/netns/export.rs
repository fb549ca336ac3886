//! What `export` writes, and that others read it.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::daemon::Vauban;
use crate::lab::{Lab, PATIENCE, SCANNER, VICTIM};
use crate::process::{command, finish, needs};

/// A scanner that is banned for what it did, and somebody banned by hand.
fn banned(lab: &Lab) -> Vauban {
    let vauban = Vauban::start(lab, "");
    for port in 101..107 {
        lab.reach("scanner", VICTIM, port);
    }
    vauban.banned(SCANNER);
    vauban.verb("ban 203.0.113.9 --reason =cmd,\"quoted\"").success();
    vauban
}

fn read(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
#[ignore = "needs root"]
fn bans_in_every_form() {
    let lab = Lab::pair();
    let vauban = banned(&lab);
    let json = read(&vauban.verb("export").success());
    assert_eq!((&json["format"], &json["version"]), (&"vauban-bans".into(), &1.into()));
    assert_eq!(json["vauban"], env!("CARGO_PKG_VERSION"));
    assert_eq!(json["bans"].as_array().unwrap().len(), 2, "{json:#}");
    let list = vauban.verb("export bans --format list").success();
    assert_eq!(list, "192.0.2.2\n203.0.113.9\n");
    let csv = vauban.verb("export --format csv").success();
    let rows: Vec<&str> = csv.split("\r\n").collect();
    assert!(rows[0].starts_with("subject,source,start,end,"), "{csv}");
    assert!(rows[2].starts_with("203.0.113.9,203.0.113.9,"), "{csv}");
    assert!(rows[2].contains("\"banned by the operator: =cmd,\"\"quoted\"\"\""), "{csv}");

    vauban.verb("unban 203.0.113.9").success();
    let json = read(&vauban.verb("export history").success());
    assert_eq!(json["bans"][0]["how"], "unbanned", "{json:#}");
    assert_eq!(json["format"], "vauban-history");
    let csv = vauban.verb("export history --format csv").success();
    assert!(csv.contains(",unbanned\r\n"), "{csv}");
    for (line, says) in [
        ("export bans --format pcapng", "export evidence --format pcapng"),
        ("export history --format pcapng", "export evidence"),
        ("export evidence --format list", "export bans --format list"),
        ("export bans 192.0.2.2", "export history"),
        ("export --output /tmp", "a directory"),
        ("export --output /dev/null", "no ordinary file"),
    ] {
        let done = vauban.verb(line);
        assert_eq!(done.code, Some(2), "{line}: {done:?}");
        assert!(done.err.contains(says), "{line}: {done:?}");
    }
}

#[test]
#[ignore = "needs root"]
fn evidence_as_json_and_csv() {
    let lab = Lab::pair();
    let vauban = banned(&lab);
    let json = read(&vauban.verb("export evidence").success());
    assert_eq!(json["format"], "vauban-evidence");
    assert_eq!(json["policy"]["trigger"]["ports"], 3, "{json:#}");
    assert_eq!(json["policy"]["unproven"], "decoy");
    let scanner = json["bans"].as_array().unwrap().iter().find(|ban| ban["subject"] == "192.0.2.2");
    let packets = scanner.unwrap()["evidence"].as_array().unwrap();
    let meanings: BTreeSet<&str> = packets.iter().map(|p| p["meaning"].as_str().unwrap()).collect();
    assert!(meanings.contains("closed-port") && meanings.contains("proven"), "{meanings:?}");
    assert_eq!(json["suspects"][0]["subject"], "192.0.2.2", "{json:#}");
    assert!(!json["suspects"][0]["evidence"].as_array().unwrap().is_empty());
    let csv = vauban.verb("export evidence 192.0.2.2 --format csv").success();
    assert!(csv.contains(",tcp/101,SYN,closed-port,"), "{csv}");
    // Of bans that are over, too, if that is asked for.
    vauban.verb("unban --all").success();
    let none = read(&vauban.verb("export evidence").success());
    assert_eq!((&none["bans"], &none["suspects"]), (&Value::Array(vec![]), &Value::Array(vec![])));
    let past = read(&vauban.verb("export evidence 192.0.2.2 --since 1h").success());
    assert_eq!(past["bans"][0]["evidence"].as_array().unwrap().len(), packets.len());
}

#[test]
#[ignore = "needs root"]
fn a_capture_is_read_by_tcpdump() {
    needs("tcpdump");
    let lab = Lab::pair();
    let vauban = banned(&lab);
    let path = lab.folder().join("evidence.pcapng");
    std::fs::write(&path, "what was there before").unwrap();
    let line = format!("export evidence --format pcapng --output {}", path.display());
    assert_eq!(vauban.verb(&line).success(), "");
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let names: Vec<_> =
        std::fs::read_dir(lab.folder()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains(".part")), "{names:?}");
    let done = finish(command(&format!("tcpdump -nn -tt -r {}", path.display())), PATIENCE);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.err.contains("RAW"), "{done:?}");
    for port in [101, 102, 103] {
        let sent = format!("> 192.0.2.1.{port}: Flags [S]");
        assert!(done.out.contains(&sent), "{done:?}");
    }
    let times: Vec<f64> =
        done.out.lines().map(|line| line.split(' ').next().unwrap().parse().unwrap()).collect();
    assert!(times.is_sorted() && times.len() > 5, "{times:?}");
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(holds("vauban: closed-port subject=192.0.2.2"));
    assert!(holds(&format!("vauban {}", env!("CARGO_PKG_VERSION"))));
}
