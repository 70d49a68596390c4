//! The card is polled and asked when it wants to be polled next.

use hyper::Nanos;

use crate::support::*;

#[test]
fn a_card_is_polled_when_it_asks_for_that() {
    let mut rig = Rig::new();
    rig.advance(2_000 * MS);
    assert_eq!(rig.due.next, None, "nothing is due");
    let wanted = Nanos(rig.now().0 + 700 * MS);
    rig.card.next_due.set(Some(wanted));
    rig.poll();
    assert_eq!(rig.due.next, Some(wanted));
    // An earlier time goes before it.
    rig.stored_is_held = true;
    rig.attach_nodes(3, 0, &DUPLEX);
    rig.stored.run();
    rig.poll();
    assert!(rig.due.next.is_some_and(|next| next <= wanted), "{:?}", rig.due);
}

#[test]
fn an_interrupt_reaches_the_card_once() {
    let mut rig = Rig::with(reporting_jacks());
    rig.advance(500 * MS);
    assert_eq!(rig.card.interrupts.get(), 0);
    rig.plug(3, true);
    assert_eq!((rig.card.interrupts.get(), rig.card.plugs.get()), (1, 1));
    rig.advance(500 * MS);
    assert_eq!((rig.card.interrupts.get(), rig.card.plugs.get()), (1, 1));
}
