//! Requests and responses, byte by byte as sndif.h draws them.

use hyper::GrantRef;
use proptest::prelude::*;
use sndif::format::{FormatSet, SampleFormat};
use sndif::hw_params::{HwParams, Interval};
use sndif::op::{LinkedStart, Operation, Trigger};
use sndif::request::{BadRequest, BadRequestReason, OpenParams, Range, Request, RequestBody};
use sndif::response::{Response, ResponseBody, Status};
use sndif::{ENTRY_BYTES, Entry};

/// An entry whose bytes `at..` are these, and 0 elsewhere.
fn entry(parts: &[(usize, &[u8])]) -> Entry {
    let mut entry = [0; ENTRY_BYTES];
    for (at, bytes) in parts {
        entry[*at..*at + bytes.len()].copy_from_slice(bytes);
    }
    entry
}

fn hw_params() -> HwParams {
    HwParams {
        formats: FormatSet(0x0000_0001_0000_0404),
        rates: Interval { min: 8_000, max: 48_000 },
        channels: Interval { min: 1, max: 2 },
        buffer_frames: Interval { min: 64, max: 16_384 },
        period_frames: Interval { min: 16, max: 4_096 },
    }
}

const HW_PARAM_BYTES: [(usize, &[u8]); 5] = [
    (8, &[0x04, 0x04, 0, 0, 1, 0, 0, 0]),
    (16, &[0x40, 0x1f, 0, 0, 0x80, 0xbb, 0, 0]),
    (24, &[1, 0, 0, 0, 2, 0, 0, 0]),
    (32, &[64, 0, 0, 0, 0, 0x40, 0, 0]),
    (40, &[16, 0, 0, 0, 0, 0x10, 0, 0]),
];

#[test]
fn open_is_laid_out_as_in_the_header() {
    let wire = entry(&[
        (0, &[0x34, 0x12, 0]),
        (8, &[0x80, 0xbb, 0, 0]),
        (12, &[10, 6]),
        (16, &[0, 0, 1, 0]),
        (20, &[0x82, 1, 0, 0]),
        (24, &[0, 8, 0, 0]),
    ]);
    let request = Request {
        id: 0x1234,
        body: RequestBody::Open(OpenParams {
            rate_hz: 48_000,
            format: SampleFormat::S32Le,
            channels: 6,
            buffer_bytes: 65_536,
            directory: GrantRef(386),
            period_bytes: 2_048,
        }),
    };
    assert_eq!(Request::parse(&wire), Ok(request));
    assert_eq!(request.emit(), wire);
}

#[test]
fn ranges_are_laid_out_as_in_the_header() {
    let range = Range { offset_bytes: 0x0102_0304, length_bytes: 0xa0b0_c0d0 };
    let bodies = [
        (2, RequestBody::Read(range)),
        (3, RequestBody::Write(range)),
        (4, RequestBody::SetVolume(range)),
        (5, RequestBody::GetVolume(range)),
        (6, RequestBody::Mute(range)),
        (7, RequestBody::Unmute(range)),
    ];
    for (code, body) in bodies {
        let wire =
            entry(&[(0, &[7, 0, code]), (8, &[0x04, 0x03, 0x02, 0x01]), (12, &[0xd0, 0xc0, 0xb0, 0xa0])]);
        let request = Request { id: 7, body };
        assert_eq!(Request::parse(&wire), Ok(request));
        assert_eq!(request.emit(), wire);
        assert_eq!(request.operation().code(), code);
    }
}

#[test]
fn close_and_trigger_are_laid_out_as_in_the_header() {
    let close = Request { id: 0xffff, body: RequestBody::Close };
    assert_eq!(close.emit(), entry(&[(0, &[0xff, 0xff, 1])]));
    assert_eq!(Request::parse(&close.emit()), Ok(close));
    let triggers = [Trigger::Start, Trigger::Pause, Trigger::Stop, Trigger::Resume];
    for (code, trigger) in (0..).zip(triggers) {
        let request = Request { id: 1, body: RequestBody::Trigger(trigger) };
        let wire = entry(&[(0, &[1, 0, 8]), (8, &[code])]);
        assert_eq!(request.emit(), wire);
        assert_eq!(Request::parse(&wire), Ok(request));
    }
}

#[test]
fn hw_param_query_and_its_answer_are_laid_out_as_in_the_header() {
    let mut parts = vec![(0, &[9, 0, 9][..])];
    parts.extend(HW_PARAM_BYTES);
    let wire = entry(&parts);
    let request = Request { id: 9, body: RequestBody::HwParamQuery(hw_params()) };
    assert_eq!(Request::parse(&wire), Ok(request));
    assert_eq!(request.emit(), wire);

    let answer = request.answer_hw_params(hw_params());
    assert_eq!(answer.emit(), wire, "status 0 lies where the request has reserved bytes");
    assert_eq!(Response::parse(&wire), answer);
}

#[test]
fn a_linked_start_and_its_answer_are_laid_out_as_documented() {
    let request = Request { id: 0x0203, body: RequestBody::LinkedStart(0x8000_0005) };
    let wire = entry(&[(0, &[3, 2, 0x80]), (8, &[5, 0, 0, 0x80])]);
    assert_eq!(request.emit(), wire);
    assert_eq!(Request::parse(&wire), Ok(request));
    for (code, how) in [(0, LinkedStart::BackToBack), (1, LinkedStart::SameFrame)] {
        let answer = request.answer_started(how);
        let wire = entry(&[(0, &[3, 2, 0x80]), (8, &[code])]);
        assert_eq!(answer.emit(), wire);
        assert_eq!(Response::parse(&wire), answer);
    }
    let unknown = Response::parse(&entry(&[(2, &[0x80]), (8, &[2])]));
    assert_eq!(
        unknown.body,
        ResponseBody::Started(LinkedStart::BackToBack),
        "a promise nobody knows is none"
    );
    let failed = Response::parse(&entry(&[(2, &[0x80]), (4, &(-22i32).to_le_bytes()), (8, &[1])]));
    assert_eq!(failed.body, ResponseBody::None);
}

#[test]
fn the_extension_leaves_the_standard_codes_alone() {
    let known: Vec<u8> = (0..=u8::MAX).filter(|code| Operation::from_code(*code).is_some()).collect();
    assert_eq!(known, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x80]);
}

#[test]
fn a_failed_query_carries_no_params() {
    let request = Request { id: 3, body: RequestBody::HwParamQuery(hw_params()) };
    let answer = request.answer(Status::EINVAL);
    assert_eq!(answer.emit(), entry(&[(0, &[3, 0, 9]), (4, &(-22i32).to_le_bytes())]));
    let mut parts = vec![(0, &[3, 0, 9][..]), (4, &[0xea, 0xff, 0xff, 0xff][..])];
    parts.extend(HW_PARAM_BYTES);
    assert_eq!(Response::parse(&entry(&parts)), answer);
}

#[test]
fn statuses_are_the_negatives_of_xens_error_numbers() {
    // errno.h of Xen's public headers.
    let numbers = [
        (Status::OK, 0),
        (Status::EPERM, 1),
        (Status::ENOENT, 2),
        (Status::EIO, 5),
        (Status::EAGAIN, 11),
        (Status::ENOMEM, 12),
        (Status::EACCES, 13),
        (Status::EFAULT, 14),
        (Status::EBUSY, 16),
        (Status::ENODEV, 19),
        (Status::EINVAL, 22),
        (Status::ENOSPC, 28),
        (Status::ERANGE, 34),
        (Status::EOPNOTSUPP, 95),
        (Status::ETIMEDOUT, 110),
    ];
    for (status, number) in numbers {
        assert_eq!((status.0, status.is_ok()), (-number, number == 0));
    }
}

#[test]
fn bytes_of_an_old_response_in_the_slot_are_ignored() {
    // Linux's front end writes its request over the last response without clearing it.
    let mut wire = [0xa5; ENTRY_BYTES];
    wire[..3].copy_from_slice(&[5, 0, 1]);
    assert_eq!(Request::parse(&wire), Ok(Request { id: 5, body: RequestBody::Close }));
}

#[test]
fn a_bad_request_keeps_the_fields_of_its_answer() {
    let unknown = Request::parse(&entry(&[(0, &[1, 2, 10])])).unwrap_err();
    assert_eq!(unknown, BadRequest { id: 0x201, operation: 10, why: BadRequestReason::UnknownOperation });
    assert_eq!(
        unknown.answer(),
        Response { id: 0x201, operation: 10, status: Status::EOPNOTSUPP, body: ResponseBody::None }
    );
    let format = Request::parse(&entry(&[(0, &[3, 0, 0]), (12, &[25])])).unwrap_err();
    assert_eq!(format, BadRequest { id: 3, operation: 0, why: BadRequestReason::UnknownFormat(25) });
    assert_eq!(format.answer().status, Status::EINVAL);
    let trigger = Request::parse(&entry(&[(0, &[4, 0, 8]), (8, &[4])])).unwrap_err();
    assert_eq!(trigger, BadRequest { id: 4, operation: 8, why: BadRequestReason::UnknownTrigger(4) });
    assert_eq!(trigger.answer().status, Status::EINVAL);
}

#[test]
fn intervals_and_params_narrow() {
    let low = Interval { min: 1, max: 5 };
    let high = Interval { min: 6, max: 9 };
    assert!(low.intersect(high).is_empty());
    assert!(low.intersect(high).is_subset(low));
    assert_eq!(low.intersect(Interval::ANY), low);
    assert!(low.contains(1) && low.contains(5) && !low.contains(0) && !low.contains(6));
    assert!(Interval::exactly(5).is_subset(low) && !Interval::exactly(6).is_subset(low));
    for wider in [Interval { min: 0, max: 5 }, Interval { min: 1, max: 6 }] {
        assert!(low.is_subset(wider) && !wider.is_subset(low), "{wider:?}");
    }

    let params = hw_params();
    assert!(HwParams::ANY.contains(&params) && !params.contains(&HwParams::ANY));
    assert!(!params.is_empty());
    let none = HwParams { channels: high, ..params }.intersect(&params);
    assert!(none.is_empty() && params.contains(&none));
    // One parameter without a value leaves nothing, whichever it is.
    let nothing = Interval { min: 2, max: 1 };
    for empty in [
        HwParams { formats: FormatSet::EMPTY, ..params },
        HwParams { rates: nothing, ..params },
        HwParams { channels: nothing, ..params },
        HwParams { buffer_frames: nothing, ..params },
        HwParams { period_frames: nothing, ..params },
    ] {
        assert!(empty.is_empty(), "{empty:?}");
    }
    let other_format = HwParams { formats: FormatSet::of(&[SampleFormat::U8]), ..params };
    assert!(params.intersect(&other_format).is_empty(), "a bit that is no format doesn't count");
    assert!(!params.contains(&other_format));
}

fn any_range() -> impl Strategy<Value = Range> {
    any::<(u32, u32)>().prop_map(|(offset_bytes, length_bytes)| Range { offset_bytes, length_bytes })
}

fn any_interval() -> impl Strategy<Value = Interval> {
    any::<(u32, u32)>().prop_map(|(min, max)| Interval { min, max })
}

fn any_params() -> impl Strategy<Value = HwParams> {
    (any::<u64>(), any_interval(), any_interval(), any_interval(), any_interval()).prop_map(
        |(formats, rates, channels, buffer_frames, period_frames)| HwParams {
            formats: FormatSet(formats),
            rates,
            channels,
            buffer_frames,
            period_frames,
        },
    )
}

fn any_body() -> impl Strategy<Value = RequestBody> {
    let format = (0..25u8).prop_map(|code| SampleFormat::from_code(code).unwrap());
    prop_oneof![
        (any::<u32>(), format, any::<u8>(), any::<[u32; 3]>()).prop_map(
            |(rate_hz, format, channels, [buffer_bytes, directory, period_bytes])| {
                RequestBody::Open(OpenParams {
                    rate_hz,
                    format,
                    channels,
                    buffer_bytes,
                    directory: GrantRef(directory),
                    period_bytes,
                })
            }
        ),
        Just(RequestBody::Close),
        any_range().prop_map(RequestBody::Read),
        any_range().prop_map(RequestBody::Write),
        any_range().prop_map(RequestBody::SetVolume),
        any_range().prop_map(RequestBody::GetVolume),
        any_range().prop_map(RequestBody::Mute),
        any_range().prop_map(RequestBody::Unmute),
        (0..4u8).prop_map(|code| RequestBody::Trigger(Trigger::from_code(code).unwrap())),
        any_params().prop_map(RequestBody::HwParamQuery),
        any::<u32>().prop_map(RequestBody::LinkedStart),
    ]
}

fn any_entry() -> impl Strategy<Value = Entry> {
    // Of 256 operations 11 are known: make them half of what is tried.
    let known = prop_oneof![10 => 0..10u8, 1 => Just(0x80u8)];
    (prop::array::uniform32(any::<[u8; 2]>()), prop_oneof![any::<u8>(), known], any::<u8>()).prop_map(
        |(pairs, operation, small)| {
            let mut entry: Entry = pairs.concat().try_into().unwrap();
            entry[2] = operation;
            if small.is_multiple_of(2) {
                entry[8] %= 5;
                entry[12] %= 26;
            }
            entry
        },
    )
}

proptest! {
    #[test]
    fn requests_survive_the_wire(id: u16, body in any_body()) {
        let request = Request { id, body };
        prop_assert_eq!(Request::parse(&request.emit()), Ok(request));
    }

    #[test]
    fn any_bytes_are_a_request_or_refused_with_the_fields_of_the_answer(entry in any_entry()) {
        let id = u16::from_le_bytes([entry[0], entry[1]]);
        match Request::parse(&entry) {
            Ok(request) => {
                prop_assert_eq!(request.id, id);
                prop_assert_eq!(request.operation().code(), entry[2]);
                prop_assert_eq!(Request::parse(&request.emit()), Ok(request));
            }
            Err(bad) => {
                prop_assert_eq!((bad.id, bad.operation), (id, entry[2]));
                let answer = bad.answer();
                prop_assert_eq!((answer.id, answer.operation), (id, entry[2]));
                prop_assert!(!answer.status.is_ok());
            }
        }
    }

    #[test]
    fn any_bytes_are_a_response(entry in any_entry()) {
        let response = Response::parse(&entry);
        prop_assert_eq!(Response::parse(&response.emit()), response);
        prop_assert_eq!(response.id, u16::from_le_bytes([entry[0], entry[1]]));
        prop_assert_eq!(response.operation, entry[2]);
        prop_assert_eq!(response.status.0, i32::from_le_bytes(entry[4..8].try_into().unwrap()));
        let carries = [Operation::HwParamQuery.code(), Operation::LinkedStart.code()]
            .contains(&response.operation) && response.status.is_ok();
        prop_assert_eq!(carries, response.body != ResponseBody::None);
    }

    #[test]
    fn narrowing_never_widens(a in any_params(), b in any_params()) {
        let both = a.intersect(&b);
        prop_assert!(a.contains(&both) && b.contains(&both));
        prop_assert_eq!(both, b.intersect(&a));
    }
}
