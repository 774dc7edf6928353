// SPDX-License-Identifier: MIT
//
// A Raspberry Pi Pico, emulated from its reset on. Reads a JSON object:
//
//     uf2      the file that is in its flash
//     ms       how long to go on, in milliseconds of its time
//     send     what a computer sends: [[ms, text or a list of the UART's DR words], ...]
//     measure  the address of a function whose calls are timed (optional)
//     systick  what another user of SysTick, an RTOS say, makes it reload (optional)
//
// Prints an object: what came back, what the LED and the watchdog did, and what rp2040js complained
// about. In place of the chip's boot ROM, which is not emulated, this copies the first 256 bytes of
// flash into RAM and starts them there; it does not check them.

import { readFileSync } from "node:fs";
import { RP2040 } from "rp2040js";

const FLASH = 0x10000000;
const BOOT2 = { address: 0x20041f00, bytes: 256 };
const LED = 25;
const [SSI, WATCHDOG] = [0x18000, 0x40058]; // among rp2040js's peripherals
const [LOAD, CTRL, ENABLE] = [4, 0, 1 << 30];
const [SYST_CSR, SYST_RVR, SYST_CVR, SYST_RUNS] = [0x10, 0x14, 0x18, 5];
const UNTOUCHED = 0xa5; // RAM after power-on, to see what was written
const BITS_A_BYTE = 10; // on the wire

const job = JSON.parse(readFileSync(process.argv[2], "utf-8"));
const result = {
  lines: [], // [ms, text]
  unfinished: "",
  led: [], // [ms, on]
  boots: 0,
  resets: [], // by the watchdog: [ms, its REASON]
  feeds: 0,
  longest_without: 0, // ms between two feeds
  instructions: 0,
  cycles: [], // of each call that was measured, by rp2040js's own counter
  complaints: [],
};

const flash = new Uint8Array(16 * 1024 * 1024).fill(0xff);
const uf2 = readFileSync(job.uf2);
for (let block = 0; block < uf2.length; block += 512) {
  const address = uf2.readUInt32LE(block + 12);
  const bytes = uf2.readUInt32LE(block + 16);
  flash.set(uf2.subarray(block + 32, block + 32 + bytes), address - FLASH);
}

const toSend = job.send.flatMap(([ms, what]) => [...(Array.isArray(what) ? what : Buffer.from(what))].map((word) => ({ ms, word })));

// A chip from its reset on, at a time in nanoseconds since the first one.
class Chip {
  constructor(start) {
    this.start = start;
    const mcu = (this.mcu = new RP2040());
    this.clock = mcu.clock;
    mcu.logger = {
      debug() {},
      info() {},
      warn: (part, words) => result.complaints.push(`${part}: ${words}`),
      error: (part, words) => result.complaints.push(`${part}: ${words}`),
    };
    mcu.flash.set(flash);
    mcu.sram.fill(UNTOUCHED);
    mcu.uart[0].onByte = (byte) => this.receive(String.fromCharCode(byte));
    mcu.gpio[LED].addListener((level) => result.led.push([this.ms, level === 1]));
    this.watch(mcu.peripherals[WATCHDOG]);

    flash.subarray(0, BOOT2.bytes).forEach((byte, i) => mcu.writeUint8(BOOT2.address + i, byte));
    mcu.core.PC = BOOT2.address;
    mcu.core.SP = BOOT2.address;
    mcu.core.LR = 0;
    if (job.systick) {
      mcu.ppb.writeUint32(SYST_RVR, job.systick);
      mcu.ppb.writeUint32(SYST_CVR, 0);
      mcu.ppb.writeUint32(SYST_CSR, SYST_RUNS);
    }
    result.boots++;
  }

  get now() {
    return this.start + this.clock.nanos;
  }

  get ms() {
    return this.now / 1e6;
  }

  receive(character) {
    if (character === "\n") {
      result.lines.push([this.ms, result.unfinished]);
      result.unfinished = "";
    } else {
      result.unfinished += character;
    }
  }

  watch(watchdog) {
    const write = watchdog.writeUint32.bind(watchdog);
    let fed = null;
    watchdog.writeUint32 = (offset, value) => {
      write(offset, value);
      if (offset === LOAD && watchdog.readUint32(CTRL) & ENABLE) {
        result.feeds++;
        result.longest_without = Math.max(result.longest_without, fed ? this.ms - fed : 0);
        fed = this.ms;
      }
    };
    watchdog.onWatchdogTrigger = () => {
      result.resets.push([this.ms, watchdog.reason]);
      watchdog.alarm.enable = false; // it would go off again at once, for ever
      this.isReset = true;
    };
  }

  // One instruction, or all of the time until something wakes the core.
  step(latest) {
    const { mcu, clock } = this;
    if (mcu.core.waiting) {
      const alarm = clock.nextAlarm ? clock.nanosToNextAlarm : Infinity;
      clock.tick(Math.min(alarm, latest - this.now));
    } else {
      result.instructions++;
      clock.tick((mcu.core.executeInstruction() * 1e9) / mcu.clkSys);
      this.measure(mcu.core);
    }
  }

  measure(core) {
    if (core.PC === job.measure) {
      this.call = { end: core.LR & ~1, cycles: core.cycles };
    } else if (this.call && core.PC === this.call.end) {
      result.cycles.push(core.cycles - this.call.cycles);
      this.call = null;
    }
  }
}

const end = job.ms * 1e6;
let chip = new Chip(0);
let sent = 0; // how many bytes
let free = 0; // when the wire to the chip is
while (chip.now < end) {
  const next = sent < toSend.length ? Math.max(toSend[sent].ms * 1e6, free) : end;
  chip.step(Math.min(next, end));
  if (sent < toSend.length && chip.now >= next) {
    const uart = chip.mcu.uart[0];
    uart.feedByte(toSend[sent++].word);
    free = next + (BITS_A_BYTE * 1e9) / uart.baudRate;
  }
  if (chip.isReset) {
    chip = new Chip(chip.now);
  }
}

const { mcu } = chip;
const ssi = mcu.peripherals[SSI];
// up to where 64 bytes in a row were never written, which is more than a function leaves unused
const top = [...mcu.sram].reverse();
const stack = top.findIndex((_, i) => top.slice(i, i + 64).every((byte) => byte === UNTOUCHED));
Object.assign(result, {
  clk_sys: mcu.clkSys,
  clk_peri: mcu.clkPeri,
  baud: mcu.uart[0].baudRate,
  word: mcu.uart[0].wordLength,
  functions: [0, 1, LED].map((pin) => mcu.gpio[pin].functionSelect),
  flash_command: {
    code: ssi.spictlr0 >>> 24,
    bits: ((ssi.spictlr0 >> 8) & 3) * 4,
    address_bits: ((ssi.spictlr0 >> 2) & 15) * 4,
    divider: ssi.baudr,
  },
  sleeps: mcu.core.waiting,
  stack,
});
console.log(JSON.stringify(result));
