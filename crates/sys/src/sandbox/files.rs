//! The wall around files and addresses, by Landlock (landlock(7)).
//!
//! What it does not do: say anything about files that are open already, or about metadata: the
//! kernel lets `stat` through, and who may change owners and modes is for the list of calls.

use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, LandlockStatus, PathBeneath, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};

use super::Sandbox;

/// The newest version whose rights were tried here. What later ones add is left as it is: a right
/// that nobody tested could deny what the process needs.
const TESTED: ABI = ABI::V7;

/// Builds the wall and returns the version of Landlock it is of, `None` where there is none.
pub(super) fn enter(sandbox: &Sandbox) -> io::Result<Option<u32>> {
    // What the kernel does not know is left out: that is what the library does unless told
    // otherwise.
    let mut rules = Ruleset::default()
        .handle_access(AccessFs::from_all(TESTED))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(TESTED)))
        .and_then(|rules| rules.scope(Scope::from_all(TESTED)))
        .and_then(Ruleset::create)
        .map_err(refused)?;
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let writing = reading
        | AccessFs::WriteFile
        | AccessFs::MakeReg
        | AccessFs::RemoveFile
        | AccessFs::Truncate;
    for path in &sandbox.writable {
        rules = allow(rules, path, writing)?;
    }
    for path in &sandbox.readable {
        rules = match open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => rules,
            _ => allow(rules, path, reading)?,
        };
    }
    let status = rules.restrict_self().map_err(refused)?;
    Ok(match (status.ruleset, status.landlock) {
        (RulesetStatus::NotEnforced, _) => None,
        (_, LandlockStatus::Available { effective_abi, .. }) => Some(version(effective_abi)),
        _ => None,
    })
}

/// The lower of the kernel's version and [`TESTED`].
fn version(kernel: ABI) -> u32 {
    let newest = kernel.min(TESTED);
    [ABI::V1, ABI::V2, ABI::V3, ABI::V4, ABI::V5, ABI::V6, ABI::V7]
        .iter()
        .zip(1..)
        .find_map(|(version, number)| (*version == newest).then_some(number))
        .unwrap_or(0)
}

/// Opens a path to name it to the kernel; nothing can be read by that.
fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).custom_flags(libc::O_PATH).open(path)
}

fn allow(
    rules: RulesetCreated,
    path: &Path,
    access: BitFlags<AccessFs>,
) -> io::Result<RulesetCreated> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", path.display()));
    let place = open(path).map_err(named)?;
    let access = if place.metadata().map_err(named)?.is_dir() {
        access
    } else {
        access & AccessFs::from_file(TESTED)
    };
    let held = place.try_clone().map_err(named)?;
    let rules =
        rules.add_rule(PathBeneath::new(place, access)).map_err(|error| named(refused(error)))?;
    // Open for as long as the process lives. A rule is about what the kernel has in memory for
    // the path, and in /proc it forgets that when nobody has it open and makes another next time.
    std::mem::forget(held);
    Ok(rules)
}

fn refused(error: impl Display) -> io::Error {
    io::Error::other(format!("Landlock refused the rules of the sandbox: {error}"))
}
