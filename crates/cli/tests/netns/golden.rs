//! What every verb prints, in words and as JSON, against files: `tests/golden/VERB`, written anew with
//! `BLESS=1`. A real daemon, brought into the same state each time by bans and by packets made by
//! hand; what differs all the same is named in [`normal`](crate::normal). JSON is what its schema
//! says, too. How a verb is added: CONTRIBUTING.md.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{PROGRAM, Vauban};
use crate::decoys::{GHOST, SECOND, Segment, Tap, ghosts, send_from, suspect_ghost};
use crate::house::CAPTURE;
use crate::lab::{Lab, PATIENCE, VICTIM};
use crate::process::{Done, command, finish, needs, wait_until};
use crate::{normal, schemas};

/// Someone who has tried one wrong port.
const WATCHED: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 79));

/// A run of a verb: `{verb}/words.txt` and `{verb}/json.json`, or `{verb}/{case}.txt` and
/// `{verb}/{case}.json` for further ones.
struct Row {
    /// With a blank if it is a verb's verb, like `config show`; its folder and its
    /// schema have a hyphen there.
    verb: &'static str,
    case: &'static str,
    /// What follows the verb. `{config}` is the daemon's configuration file, `{golden}` the folder of
    /// this verb's files, `{capture}` a scan that was recorded. The socket is added where the verb takes
    /// one.
    arguments: &'static [&'static str],
    exit: i32,
    prints: Prints,
}

/// What a verb prints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Prints {
    /// Words, and with `--json` an object; the schema is the verb's.
    Both,
    /// The same, but with `--json` an object on each line.
    Lines,
    /// Words alone, whatever it could print otherwise.
    Words,
    /// JSON without being asked, by the schema of this name.
    Json(&'static str),
}

const fn row(verb: &'static str, arguments: &'static [&'static str]) -> Row {
    case(verb, "", arguments, 0)
}

const fn case(
    verb: &'static str,
    case: &'static str,
    arguments: &'static [&'static str],
    exit: i32,
) -> Row {
    Row { verb, case, arguments, exit, prints: Prints::Both }
}

impl Row {
    const fn prints(self, prints: Prints) -> Self {
        Self { prints, ..self }
    }

    const fn exits(self, exit: i32) -> Self {
        Self { exit, ..self }
    }
}

/// Every run, in this order, in the state that [`state`] makes: first all in words, and in the same
/// state again all with `--json`.
const ROWS: &[Row] = &[
    row("status", &[]),
    row("suspects", &[]),
    row("bans", &[]),
    row("top", &["--once", "--interval", "100ms"]),
    row("explain", &["192.0.2.77"]),
    case("explain", "proven", &["192.0.2.78"], 0),
    case("explain", "watched", &["192.0.2.79"], 0),
    case("explain", "by-hand", &["2001:db8:77::1"], 0),
    case("explain", "never", &["127.0.0.1"], 0),
    case("explain", "unknown", &["198.51.100.9"], 1),
    row("why-not", &["192.0.2.77"]),
    case("why-not", "watched", &["192.0.2.79"], 0),
    case("why-not", "banned", &["192.0.2.78"], 1),
    case("why-not", "never", &["127.0.0.1"], 0),
    case("why-not", "unknown", &["198.51.100.9"], 0),
    row("export", &["--format", "list"]).prints(Prints::Words),
    case("export", "bans", &["bans"], 0).prints(Prints::Json("export-bans")),
    case("export", "csv", &["bans", "--format", "csv"], 0).prints(Prints::Words),
    case("export", "evidence", &["evidence", "192.0.2.78"], 0)
        .prints(Prints::Json("export-evidence")),
    case("export", "suspect", &["evidence", "192.0.2.77"], 0)
        .prints(Prints::Json("export-evidence")),
    case("export", "refused", &["evidence", "--format", "list"], 2).prints(Prints::Words),
    row("import", &["{golden}/bans.list", "--for", "1d", "--reason", "from the mail server"])
        .exits(65),
    case("import", "dry-run", &["{golden}/good.list", "--dry-run"], 0),
    row("allow", &["198.51.100.0/24", "--for", "30d", "--comment", "the office"]),
    case("allow", "banned", &["203.0.113.5"], 0),
    case("allow", "list", &[], 0),
    case("allow", "wide", &["0.0.0.0/1"], 2),
    case("explain", "allowed", &["198.51.100.9"], 0),
    case("why-not", "allowed", &["198.51.100.9"], 0),
    row("disallow", &["198.51.100.0/24"]),
    case("disallow", "unknown", &["198.51.100.1"], 1),
    row("history", &[]),
    case("history", "one", &["203.0.113.5"], 0),
    case("history", "limit", &["--limit", "1"], 0),
    case("history", "none", &["198.51.100.1"], 0),
    case("export", "history", &["history"], 0).prints(Prints::Json("export-history")),
    row("ban", &["203.0.113.6", "--for", "10m", "--reason", "told by the neighbours"]),
    case("ban", "never", &["127.0.0.1"], 1),
    row("unban", &["203.0.113.6"]),
    case("unban", "suspect", &["192.0.2.77"], 0),
    case("unban", "unknown", &["198.51.100.9"], 1),
    case("unban", "all", &["--all"], 0),
    case("suspects", "none", &[], 0),
    case("bans", "none", &[], 0),
    case("disallow", "address", &["203.0.113.5"], 0),
    case("allow", "none", &[], 0),
    row("reload", &[]),
    row("check", &["{config}"]),
    case("check", "doubts", &["{golden}/doubts.toml"], 0),
    case("check", "wrong", &["{golden}/wrong.toml"], 78),
    case("check", "missing", &["/nowhere/vauban.toml"], 78),
    row("config", &["--config", "{golden}/some.toml"]),
    case("config", "wrong", &["--config", "{golden}/wrong.toml"], 78),
    row("replay", &["{capture}"]).prints(Prints::Lines),
    case(
        "replay",
        "by-policy",
        &["{capture}", "--home", "10.77.0.2", "--config", "{golden}/ban.toml"],
        0,
    )
    .prints(Prints::Lines),
    case("replay", "no-capture", &["{golden}/ban.toml"], 65).prints(Prints::Words),
    row("ruleset", &["--config", "{config}"]),
    case("ruleset", "dry-run", &["--config", "{config}", "--dry-run"], 0),
];

/// Verbs whose output is looked at elsewhere.
const ELSEWHERE: [(&str, &str); 4] = [
    (
        "run",
        "its lines are in `running`, `bans` and others; `run/log.txt` here has those of a life",
    ),
    ("demo", "below: a real scan, of which only the shape is the same each time"),
    ("doctor", "below: every host is another one; what it makes of each is in `doctor/tests.rs`"),
    ("completions", "clap's own; tests/package.sh loads them"),
];

/// What the daemon is configured to do: nothing but the defaults, said by a file.
const CONFIG: &str = "# The defaults.\n";

/// Bans by hand, a suspect, one who has proven himself, one who is watched. Nothing here depends on
/// how fast the machine is.
fn state(lab: &Lab, config: &str) -> Vauban {
    ghosts(lab);
    let tap = Tap::open(lab, "scanner");
    let vauban = Vauban::start(lab, config);
    for line in ["ban 203.0.113.5 --for 1h", "ban 2001:db8:77::1 --for 2d"] {
        vauban.verb(line).success();
    }
    suspect_ghost(lab, &vauban, GHOST);
    suspect_ghost(lab, &vauban, SECOND);
    for port in [201, 202, 203] {
        let syn = Segment::syn(SECOND, VICTIM, (50_000, port));
        let answer = tap.ask(lab, &syn);
        send_from(lab, "scanner", "eth0", vec![syn.completing(answer.sequence).frame()]);
    }
    vauban.banned(SECOND);
    send_from(lab, "scanner", "eth0", vec![Segment::syn(WATCHED, VICTIM, (50_000, 101)).frame()]);
    wait_until("one more is watched", Duration::from_secs(5), || {
        vauban.state(WATCHED) == "watched"
    });
    vauban.settle();
    vauban
}

fn golden(verb: &str) -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).join(verb.replace(' ', "-"))
}

impl Row {
    /// The name of its file: in words, or of JSON.
    fn file(&self, json: bool) -> PathBuf {
        let (words, answer) = match self.case {
            "" => ("words.txt".to_owned(), "json.json".to_owned()),
            case => (format!("{case}.txt"), format!("{case}.json")),
        };
        golden(self.verb).join(if json { answer } else { words })
    }

    /// Its command line, as somebody types it.
    fn line(&self) -> String {
        let own = self.verb.replace(' ', "-");
        let quoted = |word: &&str| {
            let word = word.replace("{golden}", &own).replace("{capture}", "scan.pcap");
            if word.contains(' ') { format!("\"{word}\"") } else { word }
        };
        let words: Vec<String> = self.arguments.iter().map(quoted).collect();
        format!("vauban {} {}", self.verb, words.join(" ")).trim_end().to_owned()
    }

    fn run(&self, lab: &Lab, vauban: &Vauban, json: bool) -> Done {
        let mut command = lab.on("victim", &format!("{PROGRAM} {}", self.verb));
        let config = vauban.config.display().to_string();
        let own = golden(self.verb).display().to_string();
        for word in self.arguments {
            let word = word.replace("{config}", &config).replace("{golden}", &own);
            command.arg(word.replace("{capture}", CAPTURE));
        }
        if help(self.verb).contains("--socket") {
            command.arg("--socket").arg(&vauban.socket);
        }
        if json {
            command.arg("--json");
        }
        finish(command, PATIENCE)
    }
}

/// Compares a text with a file, or writes it there.
fn compare(path: &Path, now: &str) -> Result<(), String> {
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, now).unwrap();
        return Ok(());
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed == now {
        return Ok(());
    }
    let differing = committed.lines().zip(now.lines()).find(|(a, b)| a != b);
    let first = differing.map_or(String::new(), |(a, b)| format!("first at:\n- {a}\n+ {b}\n"));
    let path = path.display();
    Err(format!("{path} differs; review it after BLESS=1\n{first}--- now\n{now}"))
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

/// What was typed, what came, and how it ended.
fn transcript(line: &str, done: &Done) -> String {
    let mut text = format!("$ {line}\n{}", done.out);
    if !done.err.is_empty() {
        let _ = write!(text, "{}", done.err);
    }
    let status = done.code.map_or("a signal".into(), |code| code.to_string());
    text + &format!("(exit status {status})\n")
}

#[test]
#[ignore = "needs root"]
fn every_verb_in_words() {
    let lab = Lab::pair();
    let mut vauban = state(&lab, CONFIG);
    let mut wrong = Vec::new();
    for row in ROWS {
        let done = row.run(&lab, &vauban, false);
        assert_eq!(done.code, Some(row.exit), "{}: {done:?}", row.line());
        if let Prints::Json(schema) = row.prints {
            wrong.extend(row.compare_json(schema, &done, &lab));
            continue;
        }
        let now = normal::words(&transcript(&row.line(), &done), &lab);
        wrong.extend(compare(&row.file(false), &now).err());
    }
    assert_eq!(vauban.stop("TERM"), Some(0));
    let log = normal::words(&vauban.log(), &lab);
    wrong.extend(compare(&golden("run").join("log.txt"), &log).err());
    assert_eq!(vauban.errors(), "");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
#[ignore = "needs root"]
fn every_verb_in_json() {
    let lab = Lab::pair();
    let mut vauban = state(&lab, &format!("{CONFIG}[log]\nformat = \"json\"\n"));
    let mut wrong = Vec::new();
    for row in ROWS {
        let asked = matches!(row.prints, Prints::Both | Prints::Lines);
        let done = row.run(&lab, &vauban, asked && help(row.verb).contains("--json"));
        assert_eq!(done.code, Some(row.exit), "{}: {done:?}", row.line());
        // An answer of no may have nothing to show.
        if !asked || (row.exit != 0 && done.out.is_empty()) {
            continue;
        }
        if help(row.verb).contains("--json") {
            wrong.extend(row.compare_json(&row.verb.replace(' ', "-"), &done, &lab));
        }
    }
    assert_eq!(vauban.stop("TERM"), Some(0));
    let log = golden("run").join("log.json");
    wrong.extend(compare_objects(&log, "log", &vauban.log(), &lab));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

impl Row {
    /// What of the JSON that it printed is wrong.
    fn compare_json(&self, schema: &str, done: &Done, lab: &Lab) -> Vec<String> {
        if self.prints == Prints::Lines {
            return compare_objects(&self.file(true), schema, &done.out, lab);
        }
        let answer: Value = serde_json::from_str(&done.out)
            .unwrap_or_else(|error| panic!("{}: {error}: {done:?}", self.line()));
        let mut wrong = schemas::faults(schema, &answer);
        wrong.extend(compare(&self.file(true), &pretty(&normal::json(&answer, lab))).err());
        wrong
    }
}

/// Objects, one a line, are kept as a list.
fn compare_objects(path: &Path, schema: &str, text: &str, lab: &Lab) -> Vec<String> {
    let read = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
    let lines = text.lines().filter(|line| !line.contains(normal::NO_USER));
    let objects: Vec<Value> = lines.map(read).collect();
    let mut wrong: Vec<String> =
        objects.iter().flat_map(|object| schemas::faults(schema, object)).collect();
    let all = Value::from(objects);
    wrong.extend(compare(path, &pretty(&normal::json(&all, lab))).err());
    wrong
}

/// What it finds differs from host to host, so that only what is looked at everywhere is compared:
/// what its findings say of a host is shown by its own tests.
#[test]
#[ignore = "needs root"]
fn the_doctor_in_words_and_json() {
    let lab = Lab::pair();
    let run = |line: &str| {
        let config = lab.folder().join("vauban.toml");
        std::fs::write(&config, CONFIG).unwrap();
        let (config, nowhere) = (config.display(), lab.folder().join("nowhere.sock"));
        let line =
            format!("{PROGRAM} doctor --config {config} --socket {}", nowhere.display()) + line;
        finish(lab.on("victim", &line), PATIENCE)
    };
    let answer: Value = serde_json::from_str(&run(" --json").out).unwrap();
    let mut wrong = schemas::faults("doctor", &answer);
    let findings = answer["findings"].as_array().unwrap();
    // Without a daemon, and with a configuration that is right, these are the same everywhere.
    let same =
        |finding: &&Value| ["configuration", "daemon"].iter().any(|of| finding["check"] == *of);
    let kept: Vec<Value> =
        findings.iter().filter(same).map(|finding| normal::json(finding, &lab)).collect();
    wrong.extend(compare(&golden("doctor").join("json.json"), &pretty(&Value::from(kept))).err());

    let done = run("");
    let blocks = done
        .out
        .split("\n\n")
        .filter(|block| ["configuration ", "daemon "].iter().any(|check| block.starts_with(check)));
    let blocks: Vec<String> = blocks.map(squeezed).collect();
    let words = normal::words(&blocks.join("\n\n"), &lab);
    wrong.extend(compare(&golden("doctor").join("words.txt"), &words).err());
    // Both say the same of everything.
    let all = squeezed(&done.out);
    for finding in findings {
        let said = |field: &str| finding[field].as_str().unwrap();
        let line = format!("{} {} ", said("verdict"), said("what"));
        if !all.contains(&line) {
            wrong.push(format!("words without {line:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), done.out);
}

/// A text with one blank for many: how wide columns are depends on what is in them.
fn squeezed(text: &str) -> String {
    let line = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// The demonstration is a real scan in a random order: its numbers differ, and so does which packets
/// counted.
#[test]
#[ignore = "needs root"]
fn the_demonstration_in_words_and_json() {
    needs("nmap");
    let run = |line: &str| {
        finish(command(&format!("{PROGRAM} demo {line}")), Duration::from_secs(60)).success()
    };
    let words = run("");
    let (shown, _) = words.split_once("what vauban printed").unwrap();
    let mut wrong = Vec::new();
    wrong.extend(compare(&golden("demo").join("words.txt"), &without_numbers(shown)).err());

    let mut answer: Value = serde_json::from_str(&run("--json")).unwrap();
    wrong.extend(schemas::faults("demo", &answer));
    for pointer in ["/without/closed", "/with/closed", "/with/open", "/called"] {
        *answer.pointer_mut(pointer).unwrap() = Value::from("<differs>");
    }
    // That of a proven ban, as in `explain/proven.json`.
    *answer.pointer_mut("/explain").unwrap() = Value::from("<explain>");
    wrong.extend(compare(&golden("demo").join("json.json"), &pretty(&answer)).err());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A text with `#` for each number of the table, however wide it is.
fn without_numbers(text: &str) -> String {
    let line = |line: &str| {
        if !line.starts_with(['p', 's']) {
            return format!("{line}\n");
        }
        let word = |word: &str| {
            let bare = word.trim_end_matches(',');
            let number = !bare.is_empty() && bare.bytes().all(|byte| byte.is_ascii_digit());
            if number { word.replace(bare, "#") } else { word.to_owned() }
        };
        let words: Vec<String> = line.split_whitespace().map(word).collect();
        words.join(" ") + "\n"
    };
    text.trim_end().lines().map(line).collect()
}

#[test]
#[ignore = "needs root"]
fn every_kind_of_error() {
    let lab = Lab::pair();
    let mut wrong = Vec::new();
    let mut check = |kind: &str, exit: i32, runs: Vec<(String, Done)>| {
        let mut text = String::new();
        for (line, done) in runs {
            assert_eq!(done.code, Some(exit), "{line}: {done:?}");
            text += &transcript(&line, &done);
            text.push('\n');
        }
        let now = normal::words(&text, &lab);
        wrong.extend(compare(&golden("errors").join(kind), &format!("{}\n", now.trim_end())).err());
    };
    let vauban =
        |line: &str| (format!("vauban {line}").trim_end().to_owned(), finish(of(line), PATIENCE));

    let nowhere = lab.folder().join("nowhere.sock").display().to_string();
    let mut runs = Vec::new();
    for verb in verbs() {
        let help = help(&verb);
        // `run` is the daemon, and `doctor` needs none.
        if !help.contains("--socket") || verb == "run" || verb == "doctor" {
            continue;
        }
        let whom = match verb.as_str() {
            "unban" => " --all",
            "disallow" => " 203.0.113.0/24",
            "import" => " GOOD",
            "top" => " --once",
            _ if help.contains("<ADDR>") => " 203.0.113.5",
            _ => "",
        };
        let whom = whom.replace("GOOD", &golden("import").join("good.list").display().to_string());
        runs.push(vauban(&format!("{verb}{whom} --socket {nowhere}")));
    }
    check("no-daemon.txt", 69, runs);

    let usage = [
        "",
        "forgive 203.0.113.5",
        "status --jsn",
        "ban",
        "ban 203.0.113.5 --for 5",
        "unban",
        "unban 203.0.113.5 --all",
        "completions tcsh",
        "allow --for 1h",
        "disallow",
        "why-not",
        "import",
        "import - --for 5",
        "history --limit 0",
        "history --since yesterday",
        "export bans --format pcapng",
        "export bans 203.0.113.5",
        "export everything",
        "config --default --json",
        "top --interval 1ms",
        "replay",
        "replay day.pcap --home 192.0.2.0/33",
        "replay day.pcap --open ssh",
        "run --log xml",
    ];
    check("usage.txt", 2, usage.map(vauban).into());

    let broken = lab.folder().join("broken.toml");
    std::fs::write(&broken, "[trigger]\nports = 1\nwindows = 5\n").unwrap();
    let broken = broken.display();
    let lines = [
        format!("check {broken}"),
        format!("config --config {broken}"),
        format!("ruleset --config {broken}"),
        format!("replay {CAPTURE} --config {broken}"),
        format!("run --config {broken}"),
        "ruleset --config /nowhere/vauban.toml".into(),
    ];
    check("configuration.txt", 78, lines.iter().map(|line| vauban(line)).collect());

    // Where everybody may run it, wherever it was built.
    let program = lab.folder().join("vauban");
    std::fs::copy(PROGRAM, &program).unwrap();
    let daemon = Vauban::start(&lab, "");
    let (program, socket) = (program.display(), daemon.socket.display());
    let as_nobody = |line: &str| {
        let setpriv = "setpriv --reuid=65534 --regid=65534 --clear-groups";
        let done = finish(command(&format!("{setpriv} {program} {line}")), PATIENCE);
        (format!("vauban {line}"), done)
    };
    let lines = [
        format!("status --socket {socket}"),
        format!("run --config /dev/null --socket {nowhere}"),
        "demo".into(),
    ];
    check("not-permitted.txt", 77, lines.iter().map(|line| as_nobody(line)).collect());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The command with these words, whatever the terminal of who tests is like.
fn of(line: &str) -> std::process::Command {
    let mut command = command(PROGRAM);
    command.args(line.split_whitespace()).env_remove("COLUMNS");
    command
}

/// The help of a verb.
fn help(verb: &str) -> String {
    finish(of(&format!("{verb} --help")), PATIENCE).success()
}

/// Every verb that the help lists; in place of one that has verbs of its own, those.
fn verbs() -> Vec<String> {
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(verb) = open.pop() {
        let help = help(&verb);
        let Some((_, commands)) = help.split_once("Commands:\n") else {
            found.push(verb);
            continue;
        };
        // A line that goes on is further in.
        let of_verb = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
        let lines = commands.lines().take_while(|line| !line.is_empty()).filter(of_verb);
        let names = lines.filter_map(|line| line.split_whitespace().next());
        let below = names.map(|name| format!("{verb} {name}").trim_start().to_owned());
        open.extend(below.collect::<Vec<_>>().into_iter().rev());
    }
    found
}

/// A new verb has its rows, its files, and if it has `--json` its schema, or this fails.
#[test]
fn every_verb_has_its_golden_files_and_its_schema() {
    let verbs = verbs();
    assert!(verbs.len() >= 11, "{verbs:?}");
    let mut wrong = Vec::new();
    for verb in &verbs {
        let json = help(verb).contains("--json");
        let elsewhere = ELSEWHERE.iter().any(|(name, _)| name == verb);
        if !elsewhere && !ROWS.iter().any(|row| row.verb == verb && row.case.is_empty()) {
            wrong.push(format!("{verb} has no row in ROWS"));
        }
        if !elsewhere && !golden(verb).join("words.txt").is_file() {
            wrong.push(format!("{verb} has no golden words: BLESS=1"));
        }
        if json && !golden(verb).join("json.json").is_file() {
            wrong.push(format!("{verb} has no golden JSON: BLESS=1"));
        }
        let schema = verb.replace(' ', "-");
        if json && !schemas::all().iter().any(|(name, _)| *name == schema) {
            wrong.push(format!("docs/reference/schemas/{schema}.schema.json is missing"));
        }
    }
    for name in ROWS.iter().map(|row| row.verb).chain(ELSEWHERE.map(|(name, _)| name)) {
        if !verbs.iter().any(|verb| verb == name) {
            wrong.push(format!("{name} is no verb"));
        }
    }
    let mut known: Vec<String> = verbs.iter().map(|verb| verb.replace(' ', "-")).collect();
    known.extend(["parts", "log"].map(str::to_owned));
    known.extend(ROWS.iter().filter_map(|row| match row.prints {
        Prints::Json(schema) => Some(schema.to_owned()),
        _ => None,
    }));
    for (name, _) in schemas::all() {
        if !known.contains(&name) {
            wrong.push(format!("docs/reference/schemas/{name}.schema.json is of no verb"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A file that no run is compared with shows nothing.
#[test]
fn every_golden_file_has_its_row() {
    let others = [
        "run/log.txt",
        "run/log.json",
        "doctor/words.txt",
        "doctor/json.json",
        "demo/words.txt",
        "demo/json.json",
        "errors/no-daemon.txt",
        "errors/usage.txt",
        "errors/configuration.txt",
        "errors/not-permitted.txt",
    ];
    let known: Vec<PathBuf> = ROWS
        .iter()
        .flat_map(|row| [row.file(false), row.file(true)])
        .chain(others.map(golden))
        .collect();
    for verb in std::fs::read_dir(golden("")).unwrap() {
        for file in std::fs::read_dir(verb.unwrap().path()).unwrap() {
            let path = file.unwrap().path();
            let compared = path.extension().is_some_and(|kind| kind == "txt" || kind == "json");
            assert!(!compared || known.contains(&path), "{}: no row names it", path.display());
        }
    }
}
