//! What can happen: plain data, so that a list of acts is a scenario that can be run again and cut down.

use snd_hda_model::LinkPositionFault;

/// A fault of the hardware that is on or off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fault {
    /// The controller is off its bus.
    OffTheBus,
    /// And the bus says so.
    CutOff,
    ResetNeverEntered,
    ResetNeverLeft,
    /// Commands are never fetched.
    CorbDead,
    /// Answers are never written.
    RirbDead,
    CorbPointerResetReadsZero,
    /// This codec doesn't answer.
    SilentCodec(u8),
    /// Every answer is late by so many link frames.
    LateAnswers(u16),
    /// This stream's RUN never reads back 0.
    StuckRun(u8),
    /// RUN reads back 0 so many link frames later.
    LateStop(u8),
    StreamResetNeverEntered(u8),
    StreamResetNeverLeft(u8),
    FifoNeverReady(u8),
    LinkPosition(LinkPositionFault),
    PositionBufferDead,
    PositionBufferAhead(u16),
    WallClockStopped,
}

/// Something that happens once to the hardware.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Blow {
    /// The next response finds no room.
    ResponseOverrun,
    /// A stream's DMA stops for so many link frames.
    Starve(u8, u16),
    FifoError(u8),
    DescriptorError(u8),
    /// A codec says something that nobody asked for.
    Unsolicited(u8, u32),
}

/// A fault of xenstored that is on or off.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum StoreFault {
    /// It doesn't run.
    Late,
    /// Answers wait, and events overtake them.
    HoldsAnswers,
    /// It reads requests and answers none.
    Silent,
    /// All requests are refused.
    Refuses,
    /// All answers are of an unknown kind.
    Garbles,
}

/// A request of a hostile guest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Asked {
    Open {
        format: u8,
        rate: u8,
        channels: u8,
        pages: u8,
        period: u32,
        bytes_less: u16,
    },
    Close,
    Start,
    Stop,
    Pause,
    Resume,
    LinkedStart(u32),
    Write(u32, u32),
    Read(u32, u32),
    SetVolume(u32, u32),
    GetVolume(u32, u32),
    Mute(u32, u32),
    Unmute(u32, u32),
    Query,
    /// An entry of noise.
    Noise(u64),
}

/// A broken invariant, for tests of this bench. It is never drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sabotage {
    /// The good guests' streams get nothing for 20 ms.
    LosesFrames,
    /// The controller's pages are unmapped while it uses them.
    UnmapsUnderDma,
    /// A page of a guest stays mapped.
    KeepsMapped,
    /// The driver domain uses another domain's channel.
    UsesForeignChannel,
    /// A right is withdrawn, and nobody tells the driver domain.
    HidesRights,
    /// Somebody says the same all the time.
    Chatters,
    /// A guest is told a position a tenth of a second ahead.
    Lies,
    /// Each turn takes 6 ms.
    Dawdles,
    /// The card wants its next turn at once, always.
    IsRestless,
    /// The card opens no stream any more.
    Refuses,
    /// The card panics.
    Panics,
}

/// Something that happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// Time passes.
    Pass {
        us: u32,
    },
    /// A good guest plays or records from now on, with such a buffer.
    Begin {
        good: u8,
        buffer_ms: u16,
        period_ms: u16,
    },
    /// It stops and closes.
    End {
        good: u8,
    },
    /// It pauses, or goes on.
    Pause {
        good: u8,
        is_paused: bool,
    },
    /// Its driver leaves, and comes back.
    Leave {
        good: u8,
    },
    /// The toolstack gives a hostile guest a card with these streams.
    Attach {
        hostile: u8,
        layout: u8,
    },
    /// The toolstack takes it away.
    Detach {
        hostile: u8,
    },
    /// Its domain is destroyed, and there is another one in its place.
    Die {
        hostile: u8,
    },
    /// It brings a driver up as it should.
    FrontUp {
        hostile: u8,
    },
    /// It writes a node of its card.
    Write {
        hostile: u8,
        node: &'static str,
        value: String,
    },
    /// It removes one.
    Remove {
        hostile: u8,
        node: &'static str,
    },
    /// It sends a request so many times.
    Ask {
        hostile: u8,
        stream: u8,
        asked: Asked,
        times: u8,
    },
    /// It writes a word of one of its pages: ring, events, directory, samples.
    Scribble {
        hostile: u8,
        page: u8,
        word: u16,
        value: u32,
    },
    /// It sends events.
    Notify {
        hostile: u8,
        stream: u8,
        times: u8,
    },
    /// It takes back one of its pages.
    Revoke {
        hostile: u8,
        page: u8,
    },
    /// The administrator writes or removes a node below `snddom`.
    Set {
        node: String,
        value: Option<&'static str>,
    },
    /// A plug.
    Plug {
        pin: u8,
        is_in: bool,
    },
    Fault {
        fault: Fault,
        is_on: bool,
    },
    Blow(Blow),
    /// The controller loses its power for a moment.
    PowerCycle,
    Store {
        fault: StoreFault,
        is_on: bool,
    },
    /// Answers that wait come, in an order by this number.
    Answers {
        order: u64,
    },
    /// The next answers are lost.
    LoseAnswers {
        count: u8,
    },
    /// The next commits conflict with another's.
    Conflicts {
        count: u8,
    },
    Sabotage(Sabotage),
}
