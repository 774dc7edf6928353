/* SPDX-License-Identifier: MIT
 *
 * config.h: what a build flag may set, -DSTATION_HOUR_MS=60000 for instance. */
#ifndef CONFIG_H
#define CONFIG_H

#ifndef STATION_HOUR_MS
#define STATION_HOUR_MS 3600000
#endif

/* An hour: one every five minutes. */
#ifndef STATION_READINGS
#define STATION_READINGS 12
#endif

/* As many equal ones in a row are a broken sensor: a day of them. The weather was never as steady;
 * a coarse sensor in a room may be, then 0 is never. */
#ifndef STATION_STUCK_READINGS
#define STATION_STUCK_READINGS (24 * STATION_READINGS)
#endif

#endif
