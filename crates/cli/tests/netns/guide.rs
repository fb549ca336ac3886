//! Every line of shell in README.md and in the guide is run as it stands, block by block, each in a
//! throw-away [`House`] whose state a comment before the block names. A page without a test here, a
//! block without a comment, a comment that is not understood: each fails, so that nothing is passed
//! over in silence. How a block is marked: CONTRIBUTING.md, "To add a page to the guide".

use std::net::IpAddr;

use crate::house::{House, Outcome};
use crate::lab::Lab;

#[path = "../../../config/tests/page/mod.rs"]
mod page;

use page::Block;

/// One test for each page.
macro_rules! pages {
    ($($test:ident: $path:literal,)*) => {
        $(
            #[test]
            #[ignore = "needs root"]
            fn $test() {
                try_page($path);
            }
        )*

        /// The pages that have a test.
        const TRIED: &[&str] = &[$($path),*];
    };
}

pages! {
    the_readme: "README.md",
    the_guide: "docs/guide/README.md",
    banned_by_mistake: "docs/guide/banned-by-mistake.md",
    doctor: "docs/guide/doctor.md",
    installing: "docs/guide/installing.md",
    moving_bans: "docs/guide/moving-bans.md",
    replay: "docs/guide/replay.md",
    someone_scans_me: "docs/guide/someone-scans-me.md",
    try_without_blocking: "docs/guide/try-without-blocking.md",
    zones: "docs/guide/zones.md",
}

/// Also where nobody is root: a new page, or a block whose mark is missing or wrong, is seen at once.
#[test]
fn every_page_is_tried_and_every_block_marked() {
    let mut tried = TRIED.to_vec();
    tried.sort_unstable();
    assert_eq!(page::pages().unwrap(), tried, "a page of the guide needs its line in pages!");
    let wrong: Vec<String> =
        TRIED.iter().flat_map(|page| plan(page).err().unwrap_or_default()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A daemon runs on every configuration that is offered as an example.
#[test]
#[ignore = "needs root"]
fn every_example_is_run() {
    let mut seen = 0;
    for entry in std::fs::read_dir(page::root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let file = format!("examples/{name}");
        // Drop-ins are run with the file that they are beside of.
        if name
            .strip_suffix(".d")
            .is_some_and(|of| page::root().join(format!("examples/{of}.toml")).is_file())
        {
            continue;
        }
        assert!(name.strip_suffix(".toml").is_some(), "{file}: what runs it?");
        let lab = Lab::pair();
        let mut house = House::build(&lab);
        house.configure(&file);
        house.protect();
        let done =
            house.run("victim", "vauban status\nnft list table inet vauban\n", None).unwrap();
        assert_eq!(done.code, Some(0), "{file}: {}", done.out);
        assert!(done.out.contains("configuration   /etc/vauban/vauban.toml"), "{}", done.out);
        seen += 1;
    }
    assert!(seen >= 3, "only {seen} examples found");
}

/// What a block finds when it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Setting {
    /// No daemon.
    None,
    /// No daemon, and a recorded scan in `day.pcap`.
    Capture,
    /// A daemon on its defaults, or with what `config=` names.
    Daemon,
    /// A daemon for which an address is a suspect, after a half-open scan.
    Suspect(IpAddr),
    /// A daemon that has banned an address which completed the handshakes of decoys.
    Caught(IpAddr),
    /// A daemon that was told to ban an address.
    Banned(IpAddr),
    /// What the block before has left.
    Same,
    /// Another file runs these lines.
    Elsewhere,
}

/// A block of shell, and how it is tried.
#[derive(Debug)]
struct Trial {
    block: Block,
    setting: Setting,
    /// The expected exit status; of the last line, if it is not 0. `None` if that is different on every
    /// host.
    exit: Option<i32>,
    /// Interrupt it once it has said this.
    until: Option<String>,
    /// In whose network namespace.
    role: String,
    /// The daemon's configuration: a file of the repository.
    config: Option<String>,
    /// What it prints.
    shows: Option<Block>,
}

/// What is to be tried on a page, or everything that is wrong with its marks.
fn plan(page: &str) -> Result<Vec<Trial>, Vec<String>> {
    plan_of(page, page::blocks(page).map_err(|error| vec![error])?)
}

fn plan_of(page: &str, blocks: Vec<Block>) -> Result<Vec<Trial>, Vec<String>> {
    let (mut trials, mut wrong) = (Vec::<Trial>::new(), Vec::new());
    let mut before_is_shell = false;
    for block in blocks {
        let at = format!("{page}:{}", block.line);
        let shows = block.marks == ["shows"];
        match block.language.as_str() {
            "sh" => match trial(block) {
                Ok(trial)
                    if trial.setting == Setting::Same
                        && trials.last().is_none_or(|last| last.setting == Setting::Elsewhere) =>
                {
                    wrong.push(format!("{at}: nothing was before it"));
                }
                Ok(trial) => trials.push(trial),
                Err(why) => wrong.push(format!("{at}: {why}")),
            },
            _ if !shows => {}
            _ => match trials.last_mut() {
                Some(last) if before_is_shell && last.setting != Setting::Elsewhere => {
                    last.shows = Some(block.clone());
                }
                _ => wrong.push(format!("{at}: it shows what no block before it prints")),
            },
        }
        before_is_shell = !shows && trials.last().is_some_and(|last| last.shows.is_none());
    }
    if wrong.is_empty() { Ok(trials) } else { Err(wrong) }
}

/// Reads the mark of a block: `try: SETTING [OPTION…]`.
fn trial(block: Block) -> Result<Trial, String> {
    let marks = block.marks.clone();
    let mut words = marks.iter().map(String::as_str);
    if words.next() != Some("try:") {
        return Err("put <!-- try: … --> before it: see CONTRIBUTING.md".into());
    }
    let address = |what: &str, words: &mut dyn Iterator<Item = &str>| {
        let text = words.next().ok_or(format!("{what} whom?"))?;
        text.parse::<IpAddr>().map_err(|error| format!("{text}: {error}"))
    };
    let setting = match words.next() {
        Some("none") => Setting::None,
        Some("capture") => Setting::Capture,
        Some("daemon") => Setting::Daemon,
        Some("suspect") => Setting::Suspect(address("suspect", &mut words)?),
        Some("caught") => Setting::Caught(address("caught", &mut words)?),
        Some("banned") => Setting::Banned(address("banned", &mut words)?),
        Some("same") => Setting::Same,
        Some("elsewhere") => {
            let path = words.next().ok_or("elsewhere where?")?;
            let fragments: Vec<&str> = words.by_ref().collect();
            elsewhere(&block.text, path, &fragments)?;
            Setting::Elsewhere
        }
        other => return Err(format!("there is no setting {}", other.unwrap_or("\"\""))),
    };
    let mut trial = Trial {
        block,
        setting,
        exit: Some(0),
        until: None,
        role: "victim".into(),
        config: None,
        shows: None,
    };
    for word in words {
        match word.split_once('=') {
            Some(("exit", "any")) => trial.exit = None,
            Some(("exit", status)) => {
                trial.exit = Some(status.parse().map_err(|error| format!("{word}: {error}"))?);
            }
            Some(("until", text)) if !text.is_empty() => trial.until = Some(text.to_owned()),
            Some(("on", role @ ("victim" | "scanner"))) => role.clone_into(&mut trial.role),
            Some(("config", file)) if trial.setting != Setting::Same => {
                if !page::root().join(file).is_file() {
                    return Err(format!("{file}: there is no such file"));
                }
                trial.config = Some(file.to_owned());
            }
            _ => return Err(format!("{word:?} is not understood")),
        }
    }
    Ok(trial)
}

/// A file that runs these lines has each of them as it stands, or a stated fragment for it. Fragments
/// are in the order of the lines.
fn elsewhere(block: &str, path: &str, fragments: &[&str]) -> Result<(), String> {
    let text = std::fs::read_to_string(page::root().join(path))
        .map_err(|error| format!("{path}: {error}"))?;
    let mut fragments = fragments.iter();
    for line in block.lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') || text.contains(line) {
            continue;
        }
        match fragments.next() {
            None => return Err(format!("{path} does not have {line:?}; name a fragment")),
            Some(fragment) if !text.contains(fragment) => {
                return Err(format!("{path} does not have {fragment:?}"));
            }
            Some(_) => {}
        }
    }
    match fragments.next() {
        Some(fragment) => Err(format!("{fragment:?} is for no line")),
        None => Ok(()),
    }
}

fn try_page(page: &str) {
    let trials = plan(page).unwrap_or_else(|wrong| panic!("{}", wrong.join("\n")));
    let wrong = try_all(page, trials);
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// Tries what is on a page, each block in a house of its own, with those that go on in it; returns
/// what is wrong.
fn try_all(page: &str, trials: Vec<Trial>) -> Vec<String> {
    let here: Vec<Trial> =
        trials.into_iter().filter(|trial| trial.setting != Setting::Elsewhere).collect();
    let mut wrong = Vec::new();
    for stay in here.chunk_by(|_, next| next.setting == Setting::Same) {
        let lab = Lab::pair();
        let mut house = House::build(&lab);
        settle(&mut house, &stay[0]);
        for trial in stay {
            let done = house.run(&trial.role, &trial.block.text, trial.until.as_deref());
            if let Err(why) = done.and_then(|outcome| verdict(trial, &outcome)) {
                wrong.push(format!("{page}:{}: {why}", trial.block.line));
                break;
            }
        }
    }
    wrong
}

/// Brings a house into the state that a block finds.
fn settle(house: &mut House<'_>, trial: &Trial) {
    if let Some(file) = &trial.config {
        house.configure(file);
    }
    if !matches!(trial.setting, Setting::None | Setting::Capture) {
        house.protect();
    }
    match trial.setting {
        Setting::Capture => house.record("day.pcap"),
        Setting::Suspect(address) => house.suspect(address),
        Setting::Caught(address) => house.caught(address),
        Setting::Banned(address) => house.ban(address),
        Setting::None | Setting::Daemon | Setting::Same | Setting::Elsewhere => {}
    }
}

fn verdict(trial: &Trial, outcome: &Outcome) -> Result<(), String> {
    let Outcome { code, out, reached } = outcome;
    let text = &trial.block.text;
    if let Some(exit) = trial.exit.filter(|exit| *code != Some(*exit)) {
        let line = text.lines().nth(reached.saturating_sub(1)).unwrap_or_default();
        return Err(format!("exit status {code:?}, not {exit}, at {line:?}:\n{out}"));
    }
    if *reached < last_command(text) {
        return Err(format!("it ended at its line {reached} already:\n{out}"));
    }
    match &trial.shows {
        Some(shown) if !matches(&lines(&shown.text), &lines(out)) => {
            Err(format!("line {} shows something else:\n{out}", shown.line))
        }
        _ => Ok(()),
    }
}

/// The line, from 1, on which the last command of a block begins.
fn last_command(block: &str) -> usize {
    let (mut last, mut goes_on) = (0, false);
    for (index, line) in block.lines().enumerate() {
        let line = line.trim();
        if !goes_on && !line.is_empty() && !line.starts_with('#') {
            last = index + 1;
        }
        goes_on = line.ends_with('\\');
    }
    last
}

fn lines(text: &str) -> Vec<&str> {
    text.trim_end().lines().map(str::trim_end).collect()
}

/// Whether lines are those that are shown. `…` on a line of its own stands for any lines, within one
/// for any characters.
fn matches(shown: &[&str], found: &[&str]) -> bool {
    match shown {
        [] => found.is_empty(),
        [line, rest @ ..] if line.trim() == "…" => {
            (0..=found.len()).any(|skipped| matches(rest, &found[skipped..]))
        }
        [line, rest @ ..] => found
            .split_first()
            .is_some_and(|(first, found)| fits(line, first) && matches(rest, found)),
    }
}

fn fits(shown: &str, found: &str) -> bool {
    let mut parts = shown.split('…');
    let Some(mut rest) = found.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let Some(last) = shown.contains('…').then(|| parts.next_back().unwrap_or_default()) else {
        return rest.is_empty();
    };
    for part in parts {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

#[test]
fn dots_stand_for_what_differs() {
    let same = |shown: &str, found: &str| matches(&lines(shown), &lines(found));
    assert!(same("a\nb\n", "a  \nb"));
    assert!(!same("a", "ab") && !same("a\nb", "a") && !same("a", "a\nb"));
    assert!(same("a … c … e", "a b c d e") && same("…", "") && same("a…", "a"));
    assert!(!same("a … c", "a b d") && !same("ab…ba", "aba"));
    assert!(same("a\n…\nz", "a\nz") && same("a\n…\nz", "a\nb\nc\nz") && same("…\nz", "z"));
    assert!(!same("a\n…\nz", "a\nb"));
}

#[test]
fn marks_that_lie_are_refused() {
    let trial = |marks: &[&str], text: &str| {
        let marks = marks.iter().map(|word| (*word).to_owned()).collect();
        trial(Block { line: 1, language: "sh".into(), marks, text: text.into() })
    };
    let refused = |marks: &[&str], text: &str| trial(marks, text).unwrap_err();
    assert!(refused(&[], "ls").contains("put <!-- try"));
    assert!(refused(&["try:", "somehow"], "ls").contains("no setting somehow"));
    assert!(refused(&["try:", "banned"], "ls").contains("whom"));
    assert!(refused(&["try:", "none", "exit=no"], "ls").contains("exit=no"));
    assert!(refused(&["try:", "none", "on=moon"], "ls").contains("on=moon"));
    assert!(refused(&["try:", "elsewhere", "nowhere"], "ls").contains("nowhere"));
    let file = "crates/cli/tests/netns/guide.rs";
    let made = ["there is", "no line"].join(" such ");
    assert!(refused(&["try:", "elsewhere", file], &made).contains("name a fragment"));
    assert!(refused(&["try:", "elsewhere", file, &made], &made).contains("does not have"));
    assert!(refused(&["try:", "elsewhere", file, "macro"], "mod page;").contains("for no line"));
    assert!(trial(&["try:", "elsewhere", file], "mod page;  # as it stands\n").is_ok());
    let good = trial(&["try:", "suspect", "203.0.113.9", "exit=1"], "ls\n").unwrap();
    assert_eq!(good.setting, Setting::Suspect("203.0.113.9".parse().unwrap()));
    assert_eq!((good.exit, last_command("a\n\nb \\\n  c\n# d\n")), (Some(1), 3));
}

/// A page with each setting and each option.
const EVERYTHING: &str = r#"
<!-- try: suspect 203.0.113.9 -->
```sh
sudo vauban explain 203.0.113.9
```
<!-- shows -->
```text
203.0.113.9 is a suspect for … more, unless it probes again
…
  … TCP SYN to tcp/103: nobody serves it; …
…
```
<!-- try: same exit=1 -->
```sh
there=203.0.113.9  # a comment
vauban unban "$there" |
    grep "no longer watched: $there"

vauban explain \
    "$there"
```
<!-- try: caught 2001:db8:1::9 -->
```sh
vauban bans --json | grep '"proven": true'
```
<!-- try: banned 203.0.113.7 config=examples/dry-run.toml -->
```sh
vauban status | grep 'dry run'
vauban bans | grep ^203.0.113.7
```
<!-- try: daemon on=scanner -->
```sh
nmap -n -Pn -p 22 192.0.2.1 | grep open
```
<!-- try: capture exit=any -->
```sh
test -s day.pcap
zcat day.pcap.gz | cmp - day.pcap
false
```
<!-- try: none until="ctrl-C stops" -->
```sh
sudo vauban run --dry-run
```
"#;

#[test]
#[ignore = "needs root"]
fn every_setting_is_what_it_says() {
    let plan = |text: &str| plan_of("page", page::read(text).unwrap()).unwrap();
    assert_eq!(plan(EVERYTHING).len(), 7);
    assert_eq!(try_all("page", plan(EVERYTHING)), [""; 0]);

    let lie = |from: &str, to: &str| {
        assert!(EVERYTHING.contains(from), "{from}");
        let mut trials = plan(&EVERYTHING.replacen(from, to, 1));
        trials.truncate(2);
        try_all("page", trials).join("\n")
    };
    assert!(lie("a suspect", "a stranger").starts_with("page:3: line 7 shows something else"));
    assert!(lie("exit=1", "exit=0").contains("exit status Some(1), not 0, at \"vauban explain"));
    assert!(lie("\nvauban explain", "\nfalse\ntrue").contains("ended at its line 5 already"));
    assert!(lie("tcp/103", "tcp/999").contains("shows something else"));
}

/// A block that fails before its last line, one that ends otherwise than stated, and one that goes on
/// for ever are told apart from one that does what it says; and what it does stays in the house.
#[test]
#[ignore = "needs root"]
fn the_house_tells_and_keeps() {
    let lab = Lab::pair();
    let mut house = House::build(&lab);
    let mut run = |text: &str, exit: i32| {
        let block = Block { line: 1, language: "sh".into(), marks: Vec::new(), text: text.into() };
        let marks = vec!["try:".into(), "none".into(), format!("exit={exit}")];
        let trial = trial(Block { marks, ..block }).unwrap();
        house.run("victim", text, None).and_then(|outcome| verdict(&trial, &outcome))
    };
    let file = "/etc/vauban/vauban.toml";
    let write = format!("echo 'dry_run = true' | sudo tee {file}\ntest -s {file}\n");
    let before = std::fs::read(file).ok();
    run(&write, 0).unwrap();
    assert_eq!(std::fs::read(file).ok(), before, "the host's own file");
    assert!(run("touch /there\n", 0).unwrap_err().contains("Read-only"));
    assert!(run("touch examples/there.toml\n", 0).unwrap_err().contains("Read-only"));
    run("echo here >new && cat new examples/dry-run.toml\n", 0).unwrap();
    run("vauban status\n", 69).unwrap();
    assert!(run("vauban status\n", 0).unwrap_err().contains("exit status Some(69)"));
    assert!(run("vauban status\ntrue\n", 69).unwrap_err().contains("ended at its line 1"));
    let endless = house.run("victim", "echo begun; sleep 1000\n", Some("begun")).unwrap();
    assert_eq!(endless.code, Some(130), "{endless:?}");
}
