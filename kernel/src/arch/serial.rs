//! The serial port, a 16550 (National Semiconductor PC16550D datasheet, 8.0 "Registers").

use core::sync::atomic::{AtomicBool, Ordering};

use super::port::SERIAL;

const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;
/// LSR: the transmitter holding register is empty.
const THRE: u8 = 1 << 5;

/// Reads of the line status before the port counts as dead. At 115200 baud a byte takes 87 us; a
/// read of the port takes about 1 us.
const MAX_POLLS: u32 = 10_000;

/// A device is present and takes bytes.
static ALIVE: AtomicBool = AtomicBool::new(false);

/// 115200 baud, 8 data bits, no parity, FIFOs on, no interrupts.
pub fn init() {
    SERIAL.offset(INTERRUPT_ENABLE).write_u8(0);
    SERIAL.offset(LINE_CONTROL).write_u8(0x80); // divisor latch
    SERIAL.write_u8(1);
    SERIAL.offset(INTERRUPT_ENABLE).write_u8(0);
    SERIAL.offset(LINE_CONTROL).write_u8(0x03);
    SERIAL.offset(FIFO_CONTROL).write_u8(0x07);
    SERIAL.offset(MODEM_CONTROL).write_u8(0x03); // DTR, RTS
    // Without a device reads float high.
    ALIVE.store(SERIAL.offset(LINE_STATUS).read_u8() != 0xff, Ordering::Relaxed);
}

/// Sends a byte. A port that times out is never used again.
pub fn send(byte: u8) {
    if !ALIVE.load(Ordering::Relaxed) {
        return;
    }
    for _ in 0..MAX_POLLS {
        if SERIAL.offset(LINE_STATUS).read_u8() & THRE != 0 {
            SERIAL.write_u8(byte);
            return;
        }
    }
    ALIVE.store(false, Ordering::Relaxed);
}
