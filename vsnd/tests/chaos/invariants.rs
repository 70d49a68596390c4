//! What holds whatever happens, checked after each act.

use hypervisor_model::Rule as GrantRule;
use snd_hda_model::{Played, Rule};
use sndif::Direction::{Capture, Playback};
use sndif::control_page::SlotState;
use sndif::response::Status;

use crate::good::{Good, Phase, sample};
use crate::guest_run::Anchor;
use crate::judge::{LIES_SHOW_NS, STORE_RECOVERS_NS, Trouble};
use crate::logs;
use crate::rights;
use crate::toolstack::DRIVER;
use crate::world::{DESCRIPTORS, MS, World};

/// A stream that was started is heard within this time.
const HEARD_NS: u64 = 300 * MS;

/// A pause amid a hand-over cuts off at most so many frames, in the time that they would have taken (docs/mixing.md).
const CUT_FRAMES: u64 = 144;

/// So many frames after the pause at most.
const CUT_WITHIN_FRAMES: u64 = 4_800;

/// Frames that a recording that has paused may lose when it is moved to a bus, as 100 ms (docs/mixing.md).
const MOVED_FRAMES: u64 = 4_800;

/// What a FIFO holds.
const FIFO_FRAMES: u64 = 48;

/// Frames by which a position may be ahead of the link.
const AHEAD_FRAMES: i128 = FIFO_FRAMES as i128;

/// An event may be so late, besides a period.
const BEHIND_NS: u64 = 45 * MS;

/// Checks all invariants.
pub fn check(world: &mut World<'_>) {
    let now_ns = world.now_ns();
    world.judge.on_lines(logs::take_count(), now_ns);
    world.judge.on_look(now_ns);
    let is_upset = world.judge.recent(now_ns) == Trouble::Controller;
    let was_lied_to = world.judge.liar_ns.is_some_and(|liar_ns| now_ns - liar_ns < LIES_SHOW_NS);
    for good in &mut world.good {
        let Some(run) = &mut good.run else { continue };
        run.is_excused |= is_upset || was_lied_to || world.judge.has_position_fault;
        // A recording that is told of too late has frames of a later lap.
        let is_misread = world.judge.has_position_fault && good.spec.direction == Capture;
        run.is_lost |= is_upset || was_lied_to || is_misread;
    }
    check_memory(world, now_ns);
    check_rights(world, now_ns);
    let played = world.model.take_played(1, 2);
    hear(world, &played, now_ns);
    check_pins(world, now_ns);
    for index in 0..world.good.len() {
        check_recorded(world, index, now_ns);
        check_requests(world, index, now_ns);
        check_positions(world, index, now_ns);
    }
}

/// Checks that nothing is left when all are gone.
pub fn check_end(world: &mut World<'_>) {
    let now_ns = world.now_ns();
    check_memory(world, now_ns);
    let mapped = world.ground.hypervisor.mapped_pages();
    let (is_buried, transactions) = (world.are_graves_empty(), world.stored.open_transactions());
    let is_running = (0..DESCRIPTORS).any(|stream| world.model.dma_running(stream.into()));
    let has_lost_answers = world.store.has_lost_answers;
    let judge = &mut world.judge;
    if mapped > 0 || !is_buried {
        judge.fail("nothing is left mapped", now_ns, || {
            format!("{mapped} pages are; the log: {:#?}", logs::last())
        });
    }
    if transactions > 0 && !has_lost_answers {
        judge.fail("nothing is left open", now_ns, || format!("{transactions} transactions are"));
    }
    if is_running {
        judge.fail("nothing is left running", now_ns, || "a stream's DMA runs".into());
    }
}

fn check_memory(world: &mut World<'_>, now_ns: u64) {
    let is_upset = world.judge.recent(now_ns) == Trouble::Controller;
    for violation in world.model.take_violations() {
        if violation.rule == Rule::Dma || !is_upset {
            world.judge.fail("the hardware's rules hold", now_ns, || violation.to_string());
        }
    }
    for violation in world.ground.hypervisor.take_violations() {
        // A guest names grants that are none.
        let is_guests = violation.by != DRIVER
            || matches!(violation.rule, GrantRule::MappedUngranted | GrantRule::MappedTwice);
        if !is_guests {
            world.judge.fail("memory's rules hold", now_ns, || format!("{violation:?}"));
        }
    }
}

fn check_rights(world: &mut World<'_>, now_ns: u64) {
    let is_well = world.store_is_well();
    let is_stuck = world.judge.recent(now_ns) >= Trouble::Stream;
    let notes = world.notes.borrow();
    let uses: Vec<_> = notes.uses.values().filter(|one| one.is_running).copied().collect();
    drop(notes);
    // A right that is given back in between counts anew.
    let known: Vec<_> = world.judge.denied.keys().copied().collect();
    for (guest, port) in known {
        if rights::has_right(world, guest, port) {
            world.judge.denied.remove(&(guest, port));
        }
    }
    for one in uses {
        let (guest, port) = (one.guest.0, one.port.0);
        let has_right = rights::has_right(world, guest, port);
        if world.judge.is_denied(guest, port, has_right, is_well, now_ns) && !is_stuck {
            let name = rights::port_name(port);
            world
                .judge
                .fail("rights hold", now_ns, || format!("guest {guest} uses {name} without the right to it"));
        }
    }
}

/// What is heard at the laptop's pins comes from guests that may be heard there.
fn check_pins(world: &mut World<'_>, now_ns: u64) {
    let sounds = [2, 3].map(|node| {
        let played = world.model.take_played(0, node);
        (node, played.samples().iter().rev().take(8).any(|sample| *sample != 0))
    });
    if !sounds.iter().any(|(_, is_heard)| *is_heard) {
        return;
    }
    let notes = world.notes.borrow();
    let guests: Vec<u16> =
        notes.uses.values().filter(|one| one.is_running && one.port.0 <= 1).map(|one| one.guest.0).collect();
    drop(notes);
    let (is_well, is_stuck) = (world.store_is_well(), world.judge.recent(now_ns) >= Trouble::Stream);
    for heard in world.model.audible(0) {
        let is_heard = sounds.iter().any(|(node, is_heard)| *is_heard && *node == heard.converter);
        let port = u8::from(heard.pin == 0x15);
        let mut may = guests.is_empty();
        for guest in &guests {
            let has_right = rights::has_right(world, *guest, port);
            may |= !world.judge.is_denied(*guest, port, has_right, is_well, now_ns);
        }
        if is_heard && !may && !is_stuck {
            world.judge.fail("rights hold", now_ns, || {
                format!("guests {guests:?} are heard at pin {:#x}, and none has the right to it", heard.pin)
            });
        }
    }
}

/// Follows the good guests' frames at the converter that they share.
fn hear(world: &mut World<'_>, played: &Played, now_ns: u64) {
    let World { good, judge, model, .. } = world;
    for good in good.iter_mut().filter(|good| good.spec.converter == Some((1, 2))) {
        let spec = good.spec;
        let is_running = good.is_running();
        let Some(run) = &mut good.run else { continue };
        for index in 0..played.len() {
            let Some(value) = played.frame(index).get(spec.side).copied() else { continue };
            let link_frame = played.link_frame(index);
            judge.figures.frames += u64::from(value != 0);
            let Some(last) = run.anchor else {
                if value != 0 && value >> 24 == sample(run.number, 0) >> 24 {
                    run.anchor = Some(Anchor { frame: (value & 0xff_ffff) as u64, link_frame });
                }
                continue;
            };
            let mut next = last.frame + 1;
            let frame = (value & 0xff_ffff) as u64;
            let skipped = frame.saturating_sub(next);
            let is_cut = (1..=CUT_FRAMES).contains(&skipped) && link_frame == last.link_frame + 1 + skipped;
            if run.may_be_cut && is_cut {
                next += skipped;
                (run.has_gap, run.may_be_cut) = (true, false);
            }
            // A pause shows within what is mixed ahead.
            run.may_be_cut &= run.is_ending || next < run.since_frame + CUT_WITHIN_FRAMES;
            if run.was_paused && link_frame > last.link_frame + 1 {
                run.has_gap = true;
                // Its place at the link is known within a bound only, and what a FIFO held is left out (docs/mixing.md).
                if (next.saturating_sub(1)..=next + FIFO_FRAMES).contains(&frame) {
                    next = frame;
                }
            }
            if value == sample(run.number, next) && (link_frame == last.link_frame + 1 || run.has_gap) {
                run.anchor = Some(Anchor { frame: next, link_frame });
                if link_frame != last.link_frame + 1 {
                    (run.has_gap, run.since_frame) = (false, next);
                }
            } else if value == 0 && (run.was_paused || run.is_ending) {
                // It pauses or stops.
            } else if !run.is_ending && !run.is_excused {
                run.is_excused = true;
                judge.fail("no frame is lost", now_ns, || {
                    format!(
                        "guest {}: after frame {} in link frame {} came {:#x} in {link_frame}; expected {:#x}; {run:?}",
                        spec.domain,
                        last.frame,
                        last.link_frame,
                        value,
                        sample(run.number, next)
                    )
                });
            } else {
                run.is_lost = true;
            }
        }
        let Some(started_ns) = run.started_ns.filter(|_| is_running && !run.is_excused && !run.is_ending)
        else {
            continue;
        };
        let since_start_ns = (now_ns - started_ns).saturating_sub(HEARD_NS);
        let silent_ns = match run.anchor {
            Some(anchor) => {
                let since_ns = now_ns.saturating_sub(model.ns_of_link_frame(anchor.link_frame));
                if run.has_gap { since_ns.min(since_start_ns) } else { since_ns }
            }
            None => since_start_ns,
        };
        if silent_ns > MS {
            let anchor = run.anchor;
            judge.fail("no frame is lost", now_ns, || {
                format!("guest {}, run {}: silence since {anchor:?}", spec.domain, run.number)
            });
        }
    }
}

/// Follows the frames that a good guest has recorded.
fn check_recorded(world: &mut World<'_>, index: usize, now_ns: u64) {
    let World { good, judge, model, .. } = world;
    let good = &mut good[index];
    let recorded = std::mem::take(&mut good.recorded);
    let generation = good.slot().map(|slot| slot.generation);
    let Some(run) = &mut good.run else { return };
    // A move to a bus after a pause loses frames, and says so.
    if run.was_paused && run.generation != generation {
        (run.has_gap, run.gap_ns) = (true, now_ns);
    }
    run.generation = generation;
    for value in recorded {
        let link_frame = (value & 0xfff_ffff) as u64;
        judge.figures.frames += 1;
        let Some(last) = run.anchor else {
            if value != 0 {
                run.anchor = Some(Anchor { frame: 0, link_frame });
            }
            continue;
        };
        // What a move to a bus loses is little. A pause may be long.
        let has_paused = run.started_ns.is_some_and(|since| model.ns_of_link_frame(last.link_frame) < since);
        let is_gap = run.has_gap && (has_paused || link_frame <= last.link_frame + MOVED_FRAMES);
        if value >> 28 == 1 && (link_frame == last.link_frame + 1 || is_gap) {
            run.anchor = Some(Anchor { frame: last.frame + 1, link_frame });
            if link_frame != last.link_frame + 1 {
                run.since_frame = last.frame + 1;
            }
            // Several gaps may lie between two looks: only a frame after the last one ends them.
            run.has_gap &= model.ns_of_link_frame(link_frame) < run.gap_ns;
        } else if run.is_ending || run.is_excused {
            run.is_lost = true;
        } else {
            run.is_excused = true;
            judge.fail("no frame is lost", now_ns, || {
                format!(
                    "guest {}: after link frame {} it recorded {value:#x}",
                    good.spec.domain, last.link_frame
                )
            });
        }
    }
}

/// What a good guest was refused has a reason, and it gets what it wishes for.
fn check_requests(world: &mut World<'_>, index: usize, now_ns: u64) {
    let domain = world.good[index].spec.domain;
    let is_direct = rights::is_any_port_direct(world);
    let is_denied = rights::is_denied_its_port(world, domain);
    let World { good, judge, stored, .. } = world;
    if is_direct {
        judge.direct_ns = Some(now_ns);
    }
    if is_denied {
        judge.rights_ns = Some(now_ns);
    }
    let was_direct = judge.may_show(judge.direct_ns, now_ns);
    let was_denied = judge.may_show(judge.rights_ns, now_ns);
    let recent = judge.recent(now_ns);
    let good = &mut good[index];
    for (operation, status) in std::mem::take(&mut good.refused) {
        let has_reason = recent >= Trouble::Stream || (status == Status::EBUSY && was_direct) || was_denied;
        if !has_reason {
            judge.fail("good guests are served", now_ns, || {
                format!(
                    "guest {domain}: {operation:?} was answered with {status:?}; the log: {:#?}",
                    logs::last()
                )
            });
        }
    }
    for wrong in std::mem::take(&mut good.wrongs) {
        if recent < Trouble::Controller {
            judge.fail("good guests are served", now_ns, || format!("guest {domain}: {wrong}"));
        }
    }
    let xrun_bytes = std::mem::take(&mut good.own_xrun_bytes);
    if xrun_bytes > 0
        && let Some(run) = &mut good.run
    {
        if !run.is_excused && !run.is_ending {
            judge.fail("no frame is lost", now_ns, || {
                format!("guest {domain}: positions came so late that {xrun_bytes} bytes were lost")
            });
        }
        // Its frames have other numbers than the guest thinks, and it knows.
        run.is_lost = true;
    }
    let since_ns = [judge.hardware_ns, judge.store_ns, judge.direct_ns, judge.rights_ns]
        .into_iter()
        .flatten()
        .fold(good.content_ns, u64::max);
    let is_waiting = now_ns.saturating_sub(since_ns) > STORE_RECOVERS_NS;
    if is_waiting && recent == Trouble::None {
        judge.fail("good guests are served", now_ns, || {
            let state = stored.value(&format!("{}/state", crate::toolstack::back_path(domain)));
            format!(
                "guest {domain} has waited for its stream since {since_ns} ns in {:?}, {state:?}",
                good.phase
            )
        });
    }
}

/// Positions that a good guest was told are within their bounds.
fn check_positions(world: &mut World<'_>, index: usize, now_ns: u64) {
    let World { good, judge, model, .. } = world;
    let good: &mut Good<'_> = &mut good[index];
    let told = std::mem::take(&mut good.told);
    let slot = good.slot();
    let Some(run) = good.run.as_ref().filter(|run| !run.is_lost && !run.is_ending && !run.has_gap) else {
        return;
    };
    let Some(anchor) = run.anchor.filter(|_| good.phase == Phase::Running) else { return };
    let domain = good.spec.domain;
    if good.spec.direction == Playback && good.spec.converter.is_some() && !run.is_excused {
        let anchor_ns = i128::from(model.ns_of_link_frame(anchor.link_frame));
        for told in told {
            judge.figures.positions += 1;
            let true_frames =
                i128::from(anchor.frame) + 1 + (i128::from(told.at_ns) - anchor_ns) * 48_000 / 1_000_000_000;
            if true_frames < i128::from(run.since_frame) {
                // That was before the gap.
                continue;
            }
            let ahead = i128::from(told.frames) - true_frames;
            let most_behind = i128::from(run.period_ns + BEHIND_NS) * 48_000 / 1_000_000_000;
            if ahead > AHEAD_FRAMES || -ahead > most_behind {
                judge.fail("positions are within their bounds", now_ns, || {
                    format!(
                        "guest {domain} was told {} frames at {} ns; {true_frames} were true",
                        told.frames, told.at_ns
                    )
                });
            }
        }
    }
    let Some(slot) = slot.filter(|slot| slot.state == SlotState::Running && slot.lock.is_some()) else {
        return;
    };
    if good.spec.converter.is_none() || slot.link_frames < run.since_frame {
        return;
    }
    let link_frame = (anchor.link_frame + slot.link_frames).checked_sub(anchor.frame);
    let Some(link_frame) = link_frame else { return };
    judge.figures.positions += 1;
    let true_ns = model.ns_of_link_frame(link_frame);
    let off_ns = true_ns.abs_diff(slot.time_ns);
    if off_ns > u64::from(slot.error_ns) + 100 {
        judge.fail("positions are within their bounds", now_ns, || {
            format!(
                "guest {domain}: frame {} is {off_ns} ns off, and the bound is {} ns: {slot:?}",
                slot.link_frames, slot.error_ns
            )
        });
    }
}
