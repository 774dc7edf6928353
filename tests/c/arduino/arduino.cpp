// SPDX-License-Identifier: MIT
//
// arduino.cpp: the simulated clock, port and computer of the stand-in Arduino.h.
#include <Arduino.h>
#include <USB/PluggableUSBSerial.h>

#include <string.h>

static const uint32_t NEVER = UINT32_MAX;

simulated world;
SerialStandIn Serial;
UsbStandIn _SerialUSB;

static void count_down(uint32_t *left, int32_t *happens)
{
    if (*left != NEVER && (*left == 0 || --*left == 0)) {
        *left = NEVER;
        *happens = 1;
    }
}

// A computer that reads fetches everything once a millisecond.
void delay(unsigned long ms)
{
    for (; ms > 0; ms--) {
        world.now++;
        count_down(&world.opens_after, &world.is_open);
        count_down(&world.sends_after, &world.pending);
        if (world.is_open && world.reads) {
            world.held = 0;
        }
    }
}

unsigned long millis()
{
    return world.now;
}

static void keep(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (world.sent < sizeof world.bytes) {
            world.bytes[world.sent] = bytes[i];
        }
        world.sent++;
        world.held++;
    }
}

void SerialStandIn::begin(unsigned long baud)
{
    world.baud = static_cast<int32_t>(baud);
}

int SerialStandIn::available()
{
    world.polls++;
    return world.pending;
}

int SerialStandIn::read()
{
    return world.pending > 0 ? world.pending-- : -1;
}

int SerialStandIn::availableForWrite()
{
    return world.says_room ? world.room - world.held : 0;
}

size_t SerialStandIn::write(const uint8_t *bytes, size_t n)
{
    if (!world.is_open) {
        return 0;
    }
    if (static_cast<int64_t>(n) > world.room - world.held) {
        world.waits++;
        return 0;
    }
    keep(bytes, n);
    return n;
}

size_t SerialStandIn::println(const char *line)
{
    static const uint8_t end[] = {'\r', '\n'};
    return write(reinterpret_cast<const uint8_t *>(line), strlen(line)) + write(end, sizeof end);
}

SerialStandIn::operator bool()
{
    return world.is_open;
}

void UsbStandIn::send_nb(uint8_t *buffer, uint32_t size, uint32_t *actual, bool)
{
    const uint32_t most = static_cast<uint32_t>(world.room);
    *actual = !world.is_open || world.held ? 0 : size < most ? size : most;
    keep(buffer, *actual);
}

void pinMode(uint8_t pin, PinMode mode)
{
    world.led_is_output = pin == LED_BUILTIN && mode == OUTPUT;
}

void digitalWrite(uint8_t pin, PinStatus level)
{
    if (pin == LED_BUILTIN) {
        world.led = level == HIGH;
    }
}
