//! `vauban demo`: two throw-away hosts, one scan without Vauban and one with it, side by side; then
//! the scanner follows up what its scan has found.
//!
//! The hosts are network namespaces with a link between them and none to anywhere else; nothing
//! outside of them is touched, and nothing of them is left.

mod follow;
mod lab;
mod scan;
mod show;
mod victim;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use vauban_daemon::control::client;
use vauban_daemon::control::protocol::{Reply, Request};
use vauban_sys::peer;

use crate::ask::{print, print_json};
use crate::exit::Trouble;
use crate::wrap::{terminal, wrap};
use lab::Lab;
use victim::{Guarded, Services};

/// The services of the victim: what a small server has.
pub const SERVED: [u16; 5] = [22, 80, 443, 3306, 8080];

/// Runs the demonstration.
pub fn run(json: bool) -> Result<(), Trouble> {
    if peer::effective_uid() != 0 {
        return Err(Trouble::Denied(
            "the demo needs root: it makes network namespaces. Try sudo vauban demo".into(),
        ));
    }
    // Ctrl-C ends what runs in the namespaces; what is left to do here is to take them away.
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let go_on = || {
        if interrupted.load(Ordering::Relaxed) {
            Err(Trouble::Failed("interrupted".into()))
        } else {
            Ok(())
        }
    };
    let tell = |text: &str| if json { Ok(()) } else { print(text) };

    let lab = Lab::build()?;
    let services = Services::open(&lab)?;
    tell(&format!(
        "A victim at {} serves {} ports; a scanner at {} runs\n  {}\n",
        Lab::VICTIM,
        SERVED.len(),
        Lab::SCANNER,
        scan::COMMAND.join(" "),
    ))?;

    tell("Without Vauban …")?;
    let without = scan::run(&lab)?;
    go_on()?;

    tell("With Vauban and its defaults …\n")?;
    let guarded = Guarded::start(&lab)?;
    let with = scan::run(&lab)?;
    go_on()?;
    tell("Then the scanner calls at three of the open ports it has found …\n")?;
    let called = follow::call(&lab, &with.open)?;
    guarded.wait_for_ban(Lab::SCANNER)?;
    go_on()?;
    let request = Request::Explain { address: Lab::SCANNER.to_string() };
    let explanation = match client::call(guarded.socket(), &request)? {
        Reply::Ok(value) => value,
        other => return Err(Trouble::Failed(format!("explain: {other:?}"))),
    };
    let log = guarded.stop()?;
    drop(services);
    drop(lab);

    if json {
        print_json(&json!({
            "without": without.json(),
            "with": with.json(),
            "called": called,
            "explain": explanation,
        }))
    } else {
        let shown = show::side_by_side(&without, &with, &log, &explanation);
        let shown = terminal().map_or(shown.clone(), |width| wrap(&shown, width));
        print(&format!("\n{shown}"))
    }
}
