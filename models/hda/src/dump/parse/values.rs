//! Values common to function groups and nodes.

use super::super::node::{AmpCaps, Pcm};
use super::super::scan::{Reason, Scan, narrow};
use super::lines::Lines;

/// The three lines after `PCM:`; `None` for N/A.
///
/// Older versions print one line: `rates 0x07f, bits 0x0e, types 0x1`.
pub(super) fn pcm(scan: &mut Scan<'_>, lines: &mut Lines<'_>) -> Result<Option<Pcm>, Reason> {
    scan.skip_spaces();
    if scan.try_take("N/A") {
        return Ok(None);
    }
    if scan.try_take("rates ") {
        let rates = scan.hex()?;
        scan.take(", bits ")?;
        let bits = scan.hex()?;
        scan.take(", types ")?;
        let formats = scan.hex()?;
        let pcm = Pcm { rates: narrow(rates, "rates")?, bits: narrow(bits, "bits")?, formats };
        return Ok(Some(pcm));
    }
    scan.end()?;
    if lines.peek().is_some_and(|line| line.trim() == "N/A") {
        lines.next();
        return Ok(None);
    }
    let mut line = |name: &str| -> Result<u32, Reason> {
        let mut scan = lines.next_detail()?;
        scan.take(name)?;
        scan.take(" [")?;
        let value = scan.hex()?;
        scan.take("]:")?;
        Ok(value)
    };
    let rates = narrow(line("rates")?, "rates")?;
    let bits = narrow(line("bits")?, "bits")?;
    Ok(Some(Pcm { rates, bits, formats: line("formats")? }))
}

/// `D0 D1 D2 D3 D3cold CLKSTOP EPSS`: parameter 0x0f (7.3.4.12).
pub(super) fn power_states(scan: &mut Scan<'_>) -> Result<u32, Reason> {
    let names = [
        ("D0", 0),
        ("D1", 1),
        ("D2", 2),
        ("D3", 3),
        ("D3cold", 4),
        ("S3D3cold", 29),
        ("CLKSTOP", 30),
        ("EPSS", 31),
    ];
    scan.take_rest().split_whitespace().try_fold(0, |states, word| {
        let bit = names.iter().find(|(name, _)| *name == word);
        bit.map(|(_, bit)| states | 1 << bit).ok_or_else(|| format!("{word:?} isn't a power state"))
    })
}

/// Checks `setting=D0, actual=D0, Clock-stop-OK`; older versions print `0x0`.
pub(super) fn power(scan: &mut Scan<'_>) -> Result<(), Reason> {
    if scan.rest().starts_with("0x") {
        scan.hex()?;
        return Ok(());
    }
    for key in ["setting=", ", actual="] {
        scan.take(key)?;
        let word = scan.rest().split(',').next().unwrap_or_default();
        scan.take(word)?;
        if !["D0", "D1", "D2", "D3", "D3cold"].contains(&word.trim()) {
            return Err(format!("{word:?} isn't a power state"));
        }
    }
    if scan.try_take(", ") {
        scan.take_rest();
    }
    Ok(())
}

/// `ofs=0x00, nsteps=0x03, stepsize=0x27, mute=0`; `None` for N/A.
pub(super) fn amp_caps(scan: &mut Scan<'_>) -> Result<Option<AmpCaps>, Reason> {
    if scan.try_take("N/A") {
        return Ok(None);
    }
    let mut part = |key| -> Result<u8, Reason> {
        let value = scan.hex_of(key)?;
        scan.take(", ")?;
        if value <= 0x7f { Ok(value as u8) } else { Err(format!("{key} is {value:#x}, over 0x7f")) }
    };
    let offset = part("ofs")?;
    let steps = part("nsteps")?;
    let step_size = part("stepsize")?;
    let mute = scan.flag_of("mute")?;
    Ok(Some(AmpCaps { offset, steps, step_size, mute }))
}
