//! Values common to function groups and nodes.

use super::super::node::{AmpCaps, Pcm, Power};
use super::super::scan::{Reason, Scan, narrow};
use super::lines::Lines;

/// The three lines after `PCM:`; `None` for N/A.
///
/// Older versions print one line: `rates 0x07f, bits 0x0e, types 0x1`.
pub(super) fn pcm(mut scan: Scan<'_>, lines: &mut Lines<'_>) -> Result<Option<Pcm>, Reason> {
    scan.skip_spaces();
    if scan.try_take("N/A") {
        scan.end()?;
        return Ok(None);
    }
    if scan.try_take("rates ") {
        let rates = scan.hex()?;
        scan.take(", bits ")?;
        let bits = scan.hex()?;
        scan.take(", types ")?;
        let formats = scan.hex()?;
        scan.end()?;
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
pub(super) fn power_states(words: &str) -> Result<u32, Reason> {
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
    words.split_whitespace().try_fold(0, |states, word| {
        let bit = names.iter().find(|(name, _)| *name == word);
        bit.map(|(_, bit)| states | 1 << bit).ok_or_else(|| format!("{word:?} isn't a power state"))
    })
}

/// `setting=D0, actual=D0, Clock-stop-OK`; older versions print `0x0`.
pub(super) fn power(mut scan: Scan<'_>) -> Result<Power, Reason> {
    if scan.rest().starts_with("0x") {
        let word = scan.hex()?;
        scan.end()?;
        return Ok(Power { setting: (word & 15) as u8, actual: (word >> 4 & 15) as u8 });
    }
    let state = |scan: &mut Scan<'_>| -> Result<u8, Reason> {
        let rest = scan.rest();
        let word = &rest[..rest.find(',').unwrap_or(rest.len())];
        let states = ["D0", "D1", "D2", "D3", "D3cold"];
        let state = (0..).zip(states).find(|(_, name)| *name == word.trim());
        scan.take(word)?;
        state.map(|(state, _)| state).ok_or_else(|| format!("{word:?} isn't a power state"))
    };
    scan.take("setting=")?;
    let setting = state(&mut scan)?;
    scan.take(", actual=")?;
    let actual = state(&mut scan)?;
    let rest = scan.rest();
    if rest.is_empty() || rest.starts_with(", ") {
        Ok(Power { setting, actual })
    } else {
        Err(format!("unexpected {rest:?}"))
    }
}

/// `ofs=0x00, nsteps=0x03, stepsize=0x27, mute=0`; `None` for N/A.
pub(super) fn amp_caps(mut scan: Scan<'_>) -> Result<Option<AmpCaps>, Reason> {
    if scan.try_take("N/A") {
        scan.end()?;
        return Ok(None);
    }
    let part = |scan: &mut Scan<'_>, key| -> Result<u8, Reason> {
        let value = scan.hex_of(key)?;
        scan.take(", ")?;
        if value <= 0x7f { Ok(value as u8) } else { Err(format!("{key} is {value:#x}, over 0x7f")) }
    };
    let offset = part(&mut scan, "ofs")?;
    let steps = part(&mut scan, "nsteps")?;
    let step_size = part(&mut scan, "stepsize")?;
    let mute = scan.flag_of("mute")?;
    scan.end()?;
    Ok(Some(AmpCaps { offset, steps, step_size, mute }))
}
