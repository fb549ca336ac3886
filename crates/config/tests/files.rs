//! The committed files that come from the table of keys, the examples, and which file is read.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use vauban_config::{
    Config, DEFAULT_PATH, Disk, Failure, Fault, Files, Origin, Sensitivity, doubts, effective,
    example, load, load_text, manual, parse, reference, show,
};

mod golden;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[test]
fn the_committed_files_are_what_the_table_says() {
    let checks = [
        golden::check(&root().join("examples/vauban.toml"), &example()),
        golden::check(&root().join("docs/reference/configuration.md"), &reference()),
    ];
    let failures: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn the_example_names_every_key_at_its_default() {
    // A comment is "# text", a commented-out key is "#key".
    let live: String = example()
        .split_inclusive('\n')
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with([' ', '\n']) => rest,
            _ => line,
        })
        .collect();
    assert_eq!(parse(&live, "example"), Ok(Config::default()));
    let keys = |text: &str| {
        text.lines().filter(|line| line.contains(" = ") && !line.starts_with('#')).count()
    };
    assert_eq!(keys(&live), show(&Config::default()).lines().count());
    assert_eq!(parse(&example(), "example"), Ok(Config::default()), "as it is shipped");
}

#[test]
fn the_manual_names_every_key() {
    for line in show(&Config::default()).lines() {
        let path = line.split(' ').next().unwrap();
        let name = path.rsplit('.').next().unwrap();
        assert!(reference().contains(&format!("| `{name}` |")), "{name}");
    }
}

#[test]
fn the_man_page_has_every_key_with_its_default() {
    // As printed: hyphens to copy are hyphens.
    let page = manual().replace("\\-", "-");
    for line in show(&Config::default()).lines() {
        let (path, default) = line.split_once(" = ").unwrap();
        let entry = format!("\n.TP\n\\fB{path}\\fR\nValue: ");
        let start = page.find(&entry).unwrap_or_else(|| panic!("{path}"));
        let text = page[start + entry.len()..].split("\n.TP\n").next().unwrap();
        assert!(text.contains(&format!("\nDefault: \\fB{default}\\fR\n")), "{path}: {text}");
    }
}

#[test]
fn the_man_page_has_no_markdown_and_no_request_by_accident() {
    const REQUESTS: [&str; 14] =
        ["TH", "SH", "SS", "TP", "PP", "IP", "I", "BR", "EX", "EE", "br", "in", "ad", "nh"];
    for line in manual().lines() {
        assert!(!line.contains('`') && !line.contains("**") && !line.contains("]("), "{line}");
        if let Some(rest) = line.strip_prefix(['.', '\'']) {
            let request = rest.split(' ').next().unwrap();
            assert!(REQUESTS.contains(&request), "{line}");
        }
    }
}

#[test]
fn every_example_is_valid() {
    let mut seen = 0;
    let mut drop_ins = 0;
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let loaded = load(&Disk, Some(&path)).unwrap_or_else(|failure| panic!("{failure}"));
            assert_eq!(doubts(&loaded.config, &loaded.settings, None), [], "{}", path.display());
            drop_ins += loaded.drop_ins.len();
            seen += 1;
        }
    }
    assert!(seen >= 5 && drop_ins >= 2, "only {seen} examples found, {drop_ins} drop-ins");
}

#[test]
fn what_is_shown_is_read_back() {
    let text = show(&Config::default());
    assert_eq!(parse(&text, "shown"), Ok(Config::default()));
}

/// Files that exist only here; those with no text are forbidden. And directories that cannot be
/// listed.
#[derive(Default)]
struct Imagined(BTreeMap<PathBuf, Option<&'static str>>, BTreeMap<PathBuf, io::ErrorKind>);

impl Files for Imagined {
    fn read(&self, path: &Path) -> io::Result<String> {
        match self.0.get(path) {
            Some(Some(text)) => Ok((*text).to_owned()),
            Some(None) => Err(io::ErrorKind::PermissionDenied.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn names(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        if let Some(kind) = self.1.get(directory) {
            return Err((*kind).into());
        }
        let within = self.0.keys().filter(|path| path.parent() == Some(directory));
        let names: Vec<OsString> =
            within.filter_map(|path| Some(path.file_name()?.to_owned())).collect();
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names) }
    }
}

fn several(files: &[(&str, Option<&'static str>)]) -> Imagined {
    let files = files.iter().map(|(path, text)| (PathBuf::from(path), *text));
    Imagined(files.collect(), BTreeMap::new())
}

fn with(path: &str, text: Option<&'static str>) -> Imagined {
    several(&[(path, text)])
}

#[test]
fn without_any_file_the_defaults_hold() {
    let loaded = load(&Imagined::default(), None).unwrap();
    assert_eq!((loaded.config, loaded.file), (Config::default(), None));
}

#[test]
fn the_default_file_is_read_if_it_is_there() {
    let loaded = load(&with(DEFAULT_PATH, Some("trigger.ports = 9")), None).unwrap();
    assert_eq!(loaded.file, Some(PathBuf::from(DEFAULT_PATH)));
    assert_eq!(loaded.config.policy.trigger.ports, 9);
}

#[test]
fn a_default_file_that_cannot_be_read_is_no_wish_for_the_defaults() {
    let failure = load(&with(DEFAULT_PATH, None), None).unwrap_err().to_string();
    assert_eq!(
        failure,
        "/etc/vauban/vauban.toml: cannot be read: permission denied\n\
         help: let the user who runs Vauban read it"
    );
}

#[test]
fn a_named_file_must_exist() {
    let files = with(DEFAULT_PATH, Some("dry_run = true"));
    let failure = load(&files, Some(Path::new("/x.toml"))).unwrap_err();
    let [Fault::Unreadable { path, .. }] = failure.faults.as_slice() else { panic!("{failure}") };
    assert_eq!(path, Path::new("/x.toml"));
    assert!(failure.to_string().starts_with("/x.toml: cannot be read: "), "{failure}");
}

/// Where something is wrong.
fn wrong(failure: &Failure) -> Vec<String> {
    let place = |fault: &Fault| match fault {
        Fault::Wrong(at) => format!("{}:{}:{}", at.file, at.line, at.column),
        Fault::Unreadable { path, .. } => path.display().to_string(),
    };
    failure.faults.iter().map(place).collect()
}

#[test]
fn a_wrong_file_gives_all_its_errors_and_no_configuration() {
    let failure =
        load(&with("/x.toml", Some("a = 1\nb = 2\n")), Some(Path::new("/x.toml"))).unwrap_err();
    assert_eq!(wrong(&failure), ["/x.toml:1:1", "/x.toml:2:1"]);
    assert!(failure.to_string().ends_with("\n\n2 errors; nothing of this file is used"));
}

#[test]
fn a_text_full_of_errors_gets_the_first_hundred() {
    let text = "!\n".repeat(5000);
    let diagnostics = parse(&text, "log").unwrap_err();
    assert_eq!(diagnostics.len(), 101);
    assert_eq!(diagnostics[100].line, 101);
    assert_eq!(diagnostics[100].message, "the problems from here on are not listed");
}

#[test]
fn the_disk_says_what_is_wrong_with_a_file() {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(std::process::id().to_string());
    std::fs::create_dir_all(&directory).unwrap();
    let read = |name: &str| Disk.read(&directory.join(name));

    std::fs::write(directory.join("good"), "dry_run = true\n").unwrap();
    assert_eq!(read("good").unwrap(), "dry_run = true\n");
    assert_eq!(read("absent").unwrap_err().kind(), io::ErrorKind::NotFound);

    std::fs::write(directory.join("latin1"), b"# ok\n# B\xfcro\n").unwrap();
    let error = read("latin1").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    assert_eq!(error.to_string(), "it is no UTF-8 text, from line 2 on");

    std::fs::write(directory.join("huge"), vec![b'#'; 4 * 1024 * 1024 + 1]).unwrap();
    assert_eq!(read("huge").unwrap_err().to_string(), "it has more than 4 MiB");

    std::os::unix::fs::symlink("absent", directory.join("dangling")).unwrap();
    let error = read("dangling").unwrap_err();
    assert_ne!(error.kind(), io::ErrorKind::NotFound);
    assert_eq!(error.to_string(), "it is a symbolic link to nothing");

    // Nobody writes into it, and nobody is waited for.
    let pipe = directory.join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert_eq!(read("pipe").unwrap_err().to_string(), "it is a pipe, not a file");
    let _socket = std::os::unix::net::UnixListener::bind(directory.join("socket")).unwrap();
    assert_eq!(read("socket").unwrap_err().to_string(), "it is a socket, not a file");
    let device = Disk.read(Path::new("/dev/zero")).unwrap_err();
    assert_eq!(device.to_string(), "it is a device, not a file");
    assert_eq!(Disk.read(Path::new("/dev/null")).unwrap(), "");

    std::fs::remove_dir_all(&directory).unwrap();
}

fn at(files: &Imagined, path: &str) -> Result<vauban_config::Loaded, Failure> {
    load(files, Some(Path::new(path)))
}

#[test]
fn drop_ins_are_read_in_the_byte_order_of_their_names_and_the_last_one_holds() {
    let files = several(&[
        ("/x/foo.toml", Some("trigger.ports = 4\ndry_run = true\nallow = [\"192.0.2.1\"]\n")),
        ("/x/foo.d/9-b.toml", Some("[trigger]\nports = 9\n")),
        ("/x/foo.d/10-a.toml", Some("[trigger]\nports = 5\nwindow = \"9s\"\n")),
        ("/x/foo.d/Z.toml", Some("allow = [\"192.0.2.2\"]\ndecoy_exclude = [\"tcp/80\"]\n")),
        ("/x/foo.d/a.toml", Some("allow = [\"192.0.2.3\"]\ndecoy_exclude = [\"192.0.2.4\"]\n")),
        ("/x/foo.d/.hidden.toml", Some("!")),
        ("/x/foo.d/b.toml~", Some("!")),
        ("/x/foo.d/c.conf", Some("!")),
        ("/x/foo.d/toml", Some("!")),
    ]);
    let loaded = at(&files, "/x/foo.toml").unwrap();
    let names: Vec<_> = loaded.drop_ins.iter().map(|path| path.file_name().unwrap()).collect();
    assert_eq!(names, ["10-a.toml", "9-b.toml", "Z.toml", "a.toml"]);
    assert_eq!(loaded.file.as_deref(), Some(Path::new("/x/foo.toml")));
    let policy = &loaded.config.policy;
    assert_eq!((policy.trigger.ports, policy.trigger.window.as_secs()), (9, 9));
    let allowed: Vec<_> = policy.allow.iter().map(|one| one.prefix.to_string()).collect();
    assert_eq!(allowed, ["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    assert_eq!(policy.decoy.exclude.ports.len() + policy.decoy.exclude.sources.len(), 2);
    let origin = |key: &str| {
        let found = loaded.settings.iter().find(|setting| setting.path() == key).unwrap();
        found.origin.to_string()
    };
    assert_eq!(origin("trigger.ports"), "/x/foo.d/9-b.toml:2");
    assert_eq!(origin("dry_run"), "/x/foo.toml:2");
    assert_eq!(origin("allow"), "/x/foo.toml:3, /x/foo.d/Z.toml:1, /x/foo.d/a.toml:1");
    assert_eq!(origin("ban.first"), "default");
}

#[test]
fn drop_ins_stand_alone_beside_the_default_file_only() {
    let name = "/etc/vauban/vauban.d/one.toml";
    let loaded = load(&with(name, Some("dry_run = true")), None).unwrap();
    assert_eq!((loaded.file, loaded.drop_ins.len()), (None, 1));
    assert_eq!(show(&loaded.config).lines().next(), Some("sensitivity = \"normal\""));
    let files = with("/x/foo.d/one.toml", Some("dry = true"));
    let failure = at(&files, "/x/foo.toml").unwrap_err();
    assert_eq!(wrong(&failure), ["/x/foo.toml", "/x/foo.d/one.toml:1:1"]);
    assert!(failure.to_string().ends_with("2 errors; nothing of these files is used"), "{failure}");
}

#[test]
fn errors_of_all_files_are_said_at_once_in_their_order() {
    let files = several(&[
        ("/x/foo.toml", Some("dri_run = true\n[trigger]\nports = 1\n")),
        ("/x/foo.d/1.toml", None),
        ("/x/foo.d/2.toml", Some("[ban\n")),
        ("/x/foo.d/3.toml", Some("# fine\n[ban]\nfirst = 60\n")),
    ]);
    let failure = at(&files, "/x/foo.toml").unwrap_err();
    let places = wrong(&failure);
    assert_eq!(places[..3], ["/x/foo.toml:1:1", "/x/foo.toml:3:9", "/x/foo.d/1.toml"]);
    assert!(places[3].starts_with("/x/foo.d/2.toml:1:"), "{places:?}");
    assert_eq!(places[4..], ["/x/foo.d/3.toml:3:9"]);
    let text = failure.to_string();
    assert!(text.contains("let the user who runs Vauban read it"), "{text}");
}

#[test]
fn relations_are_asked_of_what_holds_and_point_at_the_last_word() {
    let main = ("/x/foo.toml", Some("[ban]\nfirst = \"2h\"\nlimit = \"1h\"\n"));
    let mended = several(&[main, ("/x/foo.d/a.toml", Some("ban.limit = \"3h\""))]);
    assert!(at(&mended, "/x/foo.toml").is_ok());
    let first = several(&[
        ("/x/foo.toml", Some("[ban]\nlimit = \"3h\"\n")),
        ("/x/foo.d/a.toml", Some("\nban.first = \"4h\"\n")),
    ]);
    let failure = at(&first, "/x/foo.toml").unwrap_err();
    assert_eq!(wrong(&failure), ["/x/foo.d/a.toml:2:13"]);
    assert!(failure.to_string().contains("write `first = \"3h\"` or shorter"), "{failure}");
    let limit = several(&[
        ("/x/foo.toml", Some("[ban]\nfirst = \"3h\"\n")),
        ("/x/foo.d/a.toml", Some("ban.limit = \"2h\"\n")),
    ]);
    let failure = at(&limit, "/x/foo.toml").unwrap_err();
    assert_eq!(wrong(&failure), ["/x/foo.d/a.toml:1:13"]);
    assert!(failure.to_string().contains("write `limit = \"3h\"` or longer"), "{failure}");
}

#[test]
fn a_directory_that_cannot_be_listed_is_an_error() {
    for (kind, said) in [
        (io::ErrorKind::PermissionDenied, "let the user who runs Vauban list it"),
        (io::ErrorKind::NotADirectory, "make it a directory"),
    ] {
        let mut files = with("/x/foo.toml", Some(""));
        files.1.insert(PathBuf::from("/x/foo.d"), kind);
        let failure = at(&files, "/x/foo.toml").unwrap_err().to_string();
        assert!(failure.starts_with("/x/foo.d: cannot be read: "), "{failure}");
        assert!(failure.contains(said), "{failure}");
    }
}

#[test]
fn zones_come_together_from_several_files() {
    let files = several(&[
        ("/x/foo.toml", Some("[zone.lan]\ninterfaces = [\"eth1\"]\n")),
        ("/x/foo.d/a.toml", Some("[zone.lan]\nmode = \"ignore\"\ninterfaces = [\"eth2\"]\n")),
        ("/x/foo.d/b.toml", Some("zone.dmz = { mode = \"watch\", interfaces = [\"eth1\"] }\n")),
    ]);
    let loaded = at(&files, "/x/foo.toml").unwrap();
    let shown = show(&loaded.config);
    assert!(
        shown.ends_with(
            "zone.dmz.interfaces = [\"eth1\"]\nzone.dmz.mode = \"watch\"\n\
             zone.lan.interfaces = [\"eth2\"]\nzone.lan.mode = \"ignore\"\n"
        ),
        "{shown}"
    );
    let clash = several(&[
        ("/x/foo.toml", Some("[zone.tunnel]\n")),
        ("/x/foo.d/b.toml", Some("[zone.vpn]\nmode = \"protect\"\ninterfaces = [\"wg*\"]\n")),
    ]);
    let failure = at(&clash, "/x/foo.toml").unwrap_err();
    assert_eq!(wrong(&failure), ["/x/foo.d/b.toml:3:15"]);
    assert!(failure.to_string().contains("`tunnel` and `vpn`"), "{failure}");
}

#[test]
fn what_holds_is_printed_with_where_it_is_from_and_read_back() {
    let files = several(&[
        ("/x/foo.toml", Some("sensitivity = \"high\"\n[ban]\nfirst = \"forever\"\n")),
        ("/x/foo.d/a\u{1b}.toml", Some("[decoy]\nports = 1\n[zone.lan]\ninterfaces = [\"e*\"]\n")),
    ]);
    let loaded = at(&files, "/x/foo.toml").unwrap();
    let text = effective(&loaded.settings);
    for line in [
        "sensitivity = \"high\" # /x/foo.toml:1\n",
        "[trigger]\nports = 2 # sensitivity = \"high\"\nwindow = \"10m\" # sensitivity = \"high\"\n",
        "[decoy]\nports = 1 # /x/foo.d/a\u{fffd}.toml:2\n",
        "limit = \"forever\" # ban.first = \"forever\"\n",
        "factor = 2 # default\n",
        "[zone.lan]\ninterfaces = [\"e*\"] # /x/foo.d/a\u{fffd}.toml:4\nmode = \"watch\" # default\n",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let again = load_text(&text, "-").unwrap();
    assert_eq!(again.config, loaded.config);
    assert!(again.settings.iter().all(|setting| matches!(setting.origin, Origin::Files(_))));
}

#[test]
fn what_is_written_wins_over_the_preset_wherever_it_stands() {
    for text in
        ["trigger.ports = 4\nsensitivity = \"low\"\n", "sensitivity = \"low\"\ntrigger.ports = 4\n"]
    {
        let policy = parse(text, "x").unwrap().policy;
        assert_eq!((policy.trigger.ports, policy.decoy.ports), (4, 5));
    }
    let files = several(&[
        ("/x/foo.toml", Some("trigger.ports = 4\n")),
        ("/x/foo.d/a.toml", Some("sensitivity = \"low\"\n")),
    ]);
    assert_eq!(at(&files, "/x/foo.toml").unwrap().config.policy.trigger.ports, 4);
    let normal = parse("sensitivity = \"normal\"", "x").unwrap();
    assert_eq!(normal, Config::default());
    for (word, preset) in [("low", Sensitivity::Low), ("high", Sensitivity::High)] {
        let config = parse(&format!("sensitivity = \"{word}\""), "x").unwrap();
        assert_eq!(config.sensitivity, preset);
        assert_ne!(config.policy, Config::default().policy);
    }
}

#[test]
fn what_is_probably_not_meant_is_said() {
    let text = "allow = [\"0.0.0.0/1\"]\nserved = [\"tcp/23\"]\nunproven = \"ban\"\n\
                decoy_exclude = [\"tcp/5555\", \"::/1\"]\n\
                [zone.lan]\ninterfaces = [\"eth1\", \"br-*\"]\n[zone.wan]\nmode = \"watch\"\n";
    let loaded = load_text(text, "x").unwrap();
    let keys = |interfaces: Option<&[String]>| {
        let found = doubts(&loaded.config, &loaded.settings, interfaces);
        found.iter().map(|doubt| format!("{} {}", doubt.key, doubt.origin)).collect::<Vec<_>>()
    };
    let all = [
        "allow x:1",
        "decoy_exclude x:4",
        "decoy_exclude x:4",
        "served x:2",
        "unproven x:3",
        "zone.lan.interfaces x:6",
        "zone.wan.mode x:8",
    ];
    let mut found = keys(Some(&["eth0".to_owned()]));
    found.sort();
    assert_eq!(found, all);
    assert_eq!(keys(None).len(), all.len() - 1);
    assert_eq!(keys(Some(&["eth1".to_owned()])).len(), all.len() - 1);
    let right = load_text("", "x").unwrap();
    assert_eq!(doubts(&right.config, &right.settings, Some(&[])), []);
}

/// A zone stands in the example as a comment: taken out of it, it is right.
#[test]
fn the_zone_of_the_example_is_one() {
    let text = example();
    let (_, zone) = text.split_once("\n# [zone.lan]\n").unwrap();
    let lines: Vec<&str> = zone
        .lines()
        .filter_map(|line| line.strip_prefix("# "))
        .filter(|l| l.contains(" = "))
        .collect();
    let lines: Vec<&str> = lines.into_iter().filter(|l| !l.contains(':')).collect();
    let config = parse(&format!("[zone.lan]\n{}\n", lines.join("\n")), "x").unwrap();
    assert_eq!(config.policy.zones.0.len(), 1, "{lines:?}");
    assert_eq!(lines.len(), 3, "{lines:?}");
}
