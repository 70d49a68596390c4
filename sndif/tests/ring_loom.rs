//! No wake-up is lost: all interleavings and all reorderings that the memory model allows, by loom. And the proof that
//! this test would find one: without the fence it does.

use hyper::SharedPage;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering, fence};
use loom::thread;
use sndif::ring::{BackRing, FrontRing};

/// Header indices, and the first word of each of two slots; all else of the page is nothing to loom.
struct LoomPage<const FENCED: bool> {
    indices: [AtomicU32; 4],
    entries: [AtomicU32; 2],
}

impl<const FENCED: bool> LoomPage<FENCED> {
    fn new() -> Self {
        Self {
            indices: std::array::from_fn(|_| AtomicU32::new(0)),
            entries: std::array::from_fn(|_| AtomicU32::new(0)),
        }
    }

    fn cell(&self, word: usize) -> Option<&AtomicU32> {
        match word {
            0..4 => self.indices.get(word),
            16 => self.entries.first(),
            32 => self.entries.get(1),
            _ => None,
        }
    }
}

impl<const FENCED: bool> SharedPage for LoomPage<FENCED> {
    fn load(&self, word: usize) -> u32 {
        self.cell(word).map_or(0, |cell| cell.load(Ordering::Acquire))
    }

    fn store(&self, word: usize, value: u32) {
        if let Some(cell) = self.cell(word) {
            cell.store(value, Ordering::Release);
        }
    }

    fn fence(&self) {
        if FENCED {
            fence(Ordering::SeqCst);
        }
    }
}

/// A front end sends a second request while the back end, done with the first, goes to sleep.
fn request_while_going_to_sleep<const FENCED: bool>() {
    loom::model(|| {
        let page = Arc::new(LoomPage::<FENCED>::new());
        let mut front = FrontRing::init(SharedArc(page.clone()));
        let mut back = BackRing::attach(SharedArc(page.clone()));
        front.push(&[1; 64]).unwrap();
        assert!(front.publish());

        let sender = thread::spawn(move || {
            front.push(&[2; 64]).unwrap();
            front.publish()
        });

        let mut served = 0;
        loop {
            while let Some(request) = back.take().unwrap() {
                served += 1;
                assert_eq!(request[0], served, "a request is seen whole, once its index is");
                back.answer(&request).unwrap();
            }
            if !back.arm() {
                break;
            }
        }
        // Asleep. It wakes up if there is an event for it; if not, the second request must have been served.
        let notified = sender.join().unwrap();
        assert!(served == 2 || notified, "lost wake-up");
        if notified {
            while let Some(request) = back.take().unwrap() {
                back.answer(&request).unwrap();
                served += 1;
            }
        }
        assert_eq!(served, 2);
    });
}

/// The same the other way round: an answer comes while the front end goes to sleep.
fn answer_while_going_to_sleep<const FENCED: bool>() {
    loom::model(|| {
        let page = Arc::new(LoomPage::<FENCED>::new());
        let mut front = FrontRing::init(SharedArc(page.clone()));
        let mut back = BackRing::attach(SharedArc(page.clone()));
        for number in [1, 2] {
            front.push(&[number; 64]).unwrap();
        }
        let _ = front.publish();
        for _ in 0..2 {
            back.take().unwrap().unwrap();
        }
        back.answer(&[1; 64]).unwrap();
        assert!(back.publish());

        let answerer = thread::spawn(move || {
            back.answer(&[2; 64]).unwrap();
            back.publish()
        });

        let mut taken = 0;
        loop {
            while let Some(response) = front.take().unwrap() {
                taken += 1;
                assert_eq!(response[0], taken);
            }
            if !front.arm() {
                break;
            }
        }
        let notified = answerer.join().unwrap();
        assert!(taken == 2 || notified, "lost wake-up");
    });
}

/// loom's `Arc` as a page.
struct SharedArc<P>(Arc<P>);

impl<P: SharedPage> SharedPage for SharedArc<P> {
    fn load(&self, word: usize) -> u32 {
        self.0.load(word)
    }

    fn store(&self, word: usize, value: u32) {
        self.0.store(word, value);
    }

    fn fence(&self) {
        self.0.fence();
    }
}

#[test]
fn no_request_is_missed_by_a_sleeping_back_end() {
    request_while_going_to_sleep::<true>();
}

#[test]
fn no_answer_is_missed_by_a_sleeping_front_end() {
    answer_while_going_to_sleep::<true>();
}

#[test]
#[should_panic(expected = "lost wake-up")]
fn without_the_fence_a_request_is_missed() {
    request_while_going_to_sleep::<false>();
}

#[test]
#[should_panic(expected = "lost wake-up")]
fn without_the_fence_an_answer_is_missed() {
    answer_while_going_to_sleep::<false>();
}
