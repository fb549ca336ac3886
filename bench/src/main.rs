//! `vauban-bench`: Vauban beside what one would use instead.
//!
//! Everything happens in network namespaces that are made here and taken away again. How it is
//! measured, and what came out: docs/development/benchmarks.md.

#![forbid(unsafe_code)]

mod ban;
mod blaster;
mod capture;
mod contenders;
mod cost;
mod decoy;
mod enforcer;
mod engine;
mod frames;
mod lab;
mod memory;
mod process;
mod report;
mod restore;
mod statistics;
mod tell;
mod trouble;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use vauban_sys::peer;

use contenders::Programs;
use trouble::{Outcome, Trouble, catch_interrupts};

const USAGE: &str =
    "usage: vauban-bench [tell|decoy|cost|ban|memory|restore|engine|all] [--quick] \
                     [--program FILE]...
  --quick         fewer and shorter runs; nothing is kept
  --program FILE  cost: measure this nftables program beside Vauban's, and nothing else
The results are kept in bench/results, if that folder is here. VAUBAN_BIN: the vauban to measure.";

/// Where results are kept, from the root of the repository.
const RESULTS: &str = "bench/results";

struct Options {
    verb: String,
    quick: bool,
    files: Vec<PathBuf>,
}

fn options() -> Outcome<Options> {
    let mut options = Options { verb: "all".into(), quick: false, files: Vec::new() };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => options.quick = true,
            "--program" => {
                options.files.push(arguments.next().ok_or(Trouble::new(USAGE))?.into());
            }
            "tell" | "decoy" | "cost" | "ban" | "memory" | "restore" | "engine" | "all" => {
                options.verb = argument;
            }
            _ => return Err(Trouble::new(USAGE)),
        }
    }
    Ok(options)
}

fn measure(options: &Options) -> Outcome<()> {
    if peer::effective_uid() != 0 {
        return Err(Trouble::new("needs root: it makes network namespaces. Try sudo make bench"));
    }
    catch_interrupts()?;
    let programs = Programs::find()?;
    let quick = options.quick;
    let results = PathBuf::from(RESULTS);
    // A short run, or one with programs of somebody's own, is nothing to keep.
    let keep = results.is_dir() && !quick && options.files.is_empty();
    let folder = keep.then_some(results.as_path());
    let wanted = |verb: &str| options.verb == "all" || options.verb == verb;
    let started = Instant::now();
    if wanted("engine") {
        engine::run_all(quick)?.keep(folder)?;
    }
    if wanted("ban") {
        ban::run_all(quick)?.keep(folder)?;
    }
    if wanted("decoy") {
        decoy::run_all(quick, &programs)?.keep(folder)?;
    }
    if wanted("tell") {
        tell::run_all(quick, &programs)?.keep(folder)?;
    }
    if wanted("memory") {
        memory::run_all(quick, &programs)?.keep(folder)?;
    }
    if wanted("restore") {
        restore::run_all(quick, &programs)?.keep(folder)?;
    }
    if wanted("cost") {
        let extent = if quick {
            cost::Extent { pairs: 20, bursts: 30 }
        } else {
            cost::Extent { pairs: 200, bursts: 40 }
        };
        cost::run_all(&extent, &programs, &options.files)?.keep(folder)?;
    }
    println!("\nDone in {} s.", started.elapsed().as_secs());
    Ok(())
}

fn main() -> ExitCode {
    match options().and_then(|options| measure(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            eprintln!("vauban-bench: {trouble}");
            ExitCode::FAILURE
        }
    }
}
