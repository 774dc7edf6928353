// SPDX-License-Identifier: MIT
//
// Cycles of one call on an emulated RP2040, by rp2040js's own counter. Reads a JSON object:
// the program as segments of hexadecimal bytes, where main, its end, the call and its return are,
// and rows of input. Prints an object for each row: the cycles from the call to its return, and the
// output.

import { readFileSync } from "node:fs";
import { RP2040 } from "rp2040js";

const job = JSON.parse(readFileSync(process.argv[2], "utf-8"));

const write = (mcu, address, hex) =>
  Buffer.from(hex, "hex").forEach((byte, i) => mcu.writeUint8(address + i, byte));

const results = job.rows.map((row) => {
  const mcu = new RP2040();
  const core = mcu.core;
  for (const [address, hex] of job.segments) {
    write(mcu, address, hex);
  }
  write(mcu, job.input, row);
  core.SP = job.stack_top;
  core.LR = job.end | 1;
  core.PC = job.main;
  let before = 0;
  let cycles = null;
  while (core.PC !== job.end) {
    if (core.PC === job.call) {
      before = core.cycles;
    } else if (core.PC === job.return) {
      cycles = core.cycles - before;
    }
    core.executeInstruction();
  }
  const output = Array.from({ length: job.outputs }, (_, i) => mcu.readUint8(job.output + i));
  return { cycles, output };
});

console.log(JSON.stringify(results));
