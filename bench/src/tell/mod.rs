//! What a scanner can tell of a victim with twenty listeners, by any state that it reports.
//!
//! Real scanners, half-open, each victim scanned once. Where everything looks the same, nothing is
//! told; where few ports look different and the listeners are among them, all is.

mod class;
mod scanner;
mod victim;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::contenders::Programs;
use crate::lab::Lab;
use crate::report::Report;
use crate::statistics::{tenths, times};
use crate::trouble::Outcome;
use class::{Class, Scanned, classes};
use scanner::{Scanner, State};
use victim::{Firewall, Places};

/// The first round's seed of the places; the others' follow.
const SEED: u64 = 20_261_121;

/// How long an nmap may scan: silence makes it slow, for hours where PortSentry answers nothing.
const PATIENCE: Duration = Duration::from_secs(120);

/// What is told of a class may exceed a hundred hundredths by lot: the one percent that decides.
const LOT: f64 = 0.01;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Contender {
    Nothing,
    PortSentry,
    Vauban,
    AllOpen,
}

impl Contender {
    const ALL: [Self; 4] = [Self::Nothing, Self::PortSentry, Self::Vauban, Self::AllOpen];

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::PortSentry => "portsentry 1.2 -atcp",
            Self::Vauban => "vauban",
            Self::AllOpen => "all really open",
        }
    }
}

/// One scan of one kind of victim.
#[derive(Clone, Copy)]
struct Scene {
    scanner: Scanner,
    last: u16,
    firewall: Firewall,
}

impl Scene {
    fn all() -> Vec<Self> {
        let few = 1_000;
        let mut all = vec![Self { scanner: Scanner::Nmap, last: few, firewall: Firewall::Reset }];
        for last in [few, 65_535] {
            for scanner in Scanner::ALL {
                all.push(Self { scanner, last, firewall: Firewall::Drop });
            }
            all.push(Self { scanner: Scanner::Nmap, last, firewall: Firewall::Reject });
        }
        all
    }

    fn words(&self) -> [String; 3] {
        [self.scanner.name(), self.last.to_string(), self.firewall.name().to_owned()]
    }

    /// One scan, and how many seconds it took; `None` when it did not finish.
    fn scan(
        &self,
        contender: Contender,
        places: &Places,
        patience: Duration,
        programs: &Programs,
    ) -> Outcome<(Vec<Class>, Option<Duration>)> {
        let lab = Lab::build()?;
        let _listeners = if contender == Contender::AllOpen {
            victim::serve_everything(&lab)?
        } else {
            self.firewall.load(&lab, places)?;
            victim::serve(&lab, places)?
        };
        let _vauban = match contender {
            Contender::Vauban => Some(programs.vauban(&lab)?),
            _ => None,
        };
        let _portsentry = match contender {
            Contender::PortSentry => Some(programs.portsentry(&lab)?),
            _ => None,
        };
        let started = Instant::now();
        let (told, finished) = self.scanner.scan(&lab, self.last, patience)?;
        let took = finished.then(|| started.elapsed());
        Ok((classes(&told, self.last, places), took))
    }
}

/// The classes of all rounds against one contender, together.
#[derive(Default)]
struct Together {
    classes: BTreeMap<State, Class>,
    all: Scanned,
}

impl Together {
    fn add(&mut self, classes: &[Class]) {
        for class in classes {
            let sum = self.classes.entry(class.state).or_insert(Class {
                ports: 0,
                real: 0,
                hidden: 0,
                ..*class
            });
            sum.ports += class.ports;
            sum.real += class.real;
            sum.hidden += class.hidden;
            self.all.ports += class.ports;
            self.all.real += class.real;
        }
    }

    /// The class that tells most.
    fn worst(&self) -> Option<&Class> {
        self.classes.values().max_by_key(|class| class.told(self.all))
    }

    /// The classes that tell something, and not by chance.
    fn missed(&self, scene: &Scene) -> Vec<String> {
        self.classes
            .values()
            .filter(|class| class.told(self.all) > 100 && class.by_lot(self.all) < LOT)
            .map(|class| {
                format!(
                    "{}: {} of {} {} ports are real, {} times.",
                    scene.words().join(", "),
                    class.real,
                    class.ports,
                    class.state.name(),
                    hundredths(class.told(self.all))
                )
            })
            .collect()
    }
}

/// Scans with all scanners, against all contenders.
pub fn run_all(quick: bool, programs: &Programs) -> Outcome<Report> {
    let patience = if quick { PATIENCE / 6 } else { PATIENCE };
    let mut report =
        Report::new("tell", "what a scanner can tell of 20 listeners, 5 of them hidden");
    let (mut rows, mut summary, mut missed) = (Vec::new(), Vec::new(), Vec::new());
    let mut worst = 0;
    for scene in Scene::all() {
        let mut line = scene.words().to_vec();
        for contender in Contender::ALL {
            // What is slow when it is silent is scanned once: it tells the same each time.
            let rounds = if quick || contender < Contender::Vauban { 1 } else { 3 };
            let mut together = Together::default();
            let mut unfinished = "";
            for round in 1..=rounds {
                let places = Places::new(SEED + round, scene.last);
                let (classes, took) = scene.scan(contender, &places, patience, programs)?;
                together.add(&classes);
                if took.is_none() {
                    unfinished = ", unfinished";
                }
                let mut first = scene.words().to_vec();
                first.extend([contender.name().to_owned(), round.to_string(), seconds(took)]);
                let mut alone = Together::default();
                alone.add(&classes);
                rows.extend(classes.iter().map(|class| row(&first, class, alone.all)));
            }
            let told = together.worst().map_or(0, |class| class.told(together.all));
            line.push(hundredths(told) + unfinished);
            if contender == Contender::Vauban {
                worst = worst.max(told);
                missed.extend(together.missed(&scene));
            }
        }
        summary.push(line);
    }
    report.table(
        &[
            "scanner",
            "scanned",
            "firewall",
            "against",
            "round",
            "seconds",
            "class",
            "ports",
            "real",
            "hidden",
            "told",
            "by lot, %",
        ],
        &rows,
    );
    report.say("The class that tells most, all rounds together (1.00 is worthless to a scanner):");
    report.table(
        &["scanner", "scanned", "firewall", "nothing", "portsentry", "vauban", "all really open"],
        &summary,
    );
    let verdict = if missed.is_empty() { "met" } else { "MISSED" };
    report.say(&format!(
        "Goal: in no class that a scanner reports, the share of real ports is higher with Vauban \
         than among all ports scanned, but for what chance makes of it: {verdict} (at most {} \
         times).{}{}",
        hundredths(worst),
        if missed.is_empty() { "" } else { " " },
        missed.join(" ")
    ));
    report.say(
        "told: share of real ports in the class, divided by their share among all ports scanned. \
         by lot: how likely at least so many real ports are in a class of that size that is drawn \
         by lot; a class above 1.00 with less than one percent counts as a miss. real includes \
         hidden. Firewalls of the victim: drop: a chain that drops all but established connections and 15 \
         ports. reject: one that refuses the 5 hidden ports by ICMP and accepts all else; reset: \
         the same by RST. all really open: no firewall, and every port is redirected to one \
         listener, so that what is not open was lost by the scanner. seconds: a dash where nmap \
         was ended because it took too long; it has said then which ports are open, and nothing of \
         the others. The places of the listeners are random, with a fixed seed for each round.",
    );
    Ok(report)
}

fn row(first: &[String], class: &Class, all: Scanned) -> Vec<String> {
    let mut row = first.to_vec();
    row.push(class.state.name().to_owned());
    row.extend([class.ports, class.real, class.hidden].map(|number| number.to_string()));
    row.push(hundredths(class.told(all)));
    row.push(format!("{:.1}", class.by_lot(all) * 100.0));
    row
}

fn hundredths(told: u64) -> String {
    times(i64::try_from(told).unwrap_or(i64::MAX), 100)
}

fn seconds(took: Option<Duration>) -> String {
    took.map_or("-".into(), |took| {
        tenths(i64::try_from(took.as_millis() / 100).unwrap_or(i64::MAX))
    })
}
