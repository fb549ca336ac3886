//! The committed files that come from the table of keys, the examples, and which file is read.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use vauban_config::{
    Config, DEFAULT_PATH, Disk, Failure, Files, example, load, manual, parse, reference, show,
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
    for entry in std::fs::read_dir(root().join("examples")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            if let Err(diagnostics) = parse(&text, &path.to_string_lossy()) {
                panic!("{}", Failure::Invalid(diagnostics));
            }
            seen += 1;
        }
    }
    assert!(seen >= 3, "only {seen} examples found");
}

#[test]
fn what_is_shown_is_read_back() {
    let text = show(&Config::default());
    assert_eq!(parse(&text, "shown"), Ok(Config::default()));
}

/// Files that exist only here; those with no text are forbidden.
#[derive(Default)]
struct Imagined(BTreeMap<PathBuf, Option<&'static str>>);

impl Files for Imagined {
    fn read(&self, path: &Path) -> io::Result<String> {
        match self.0.get(path) {
            Some(Some(text)) => Ok((*text).to_owned()),
            Some(None) => Err(io::ErrorKind::PermissionDenied.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

fn with(path: &str, text: Option<&'static str>) -> Imagined {
    Imagined(BTreeMap::from([(PathBuf::from(path), text)]))
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
    assert!(matches!(&failure, Failure::Unreadable { path, .. } if path == Path::new("/x.toml")));
    assert!(failure.to_string().starts_with("/x.toml: cannot be read: "), "{failure}");
}

#[test]
fn a_wrong_file_gives_all_its_errors_and_no_configuration() {
    let failure =
        load(&with("/x.toml", Some("a = 1\nb = 2\n")), Some(Path::new("/x.toml"))).unwrap_err();
    let Failure::Invalid(diagnostics) = &failure else { panic!("{failure}") };
    assert_eq!(diagnostics.len(), 2);
    assert_eq!(diagnostics[1].file, "/x.toml");
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

    std::fs::remove_dir_all(&directory).unwrap();
}
