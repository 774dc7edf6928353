"""How a stand-in is built: the cross compiler from PATH around the folders that its board names.

PlatformIO runs this file inside SCons. The board's JSON says, under ``build``:

- ``cpu``: for ``-mcpu``;
- ``folders``: of this platform; their sources are compiled, and are found by ``#include``;
- ``linker_script``: of this platform too; it may include others from the folders;
- ``uf2``: true if ``firmware.uf2``, which the boot loader of an RP2040 takes, is made as well.
"""

from pathlib import Path

from SCons.Script import AlwaysBuild, Default, DefaultEnvironment

env = DefaultEnvironment()
board = env.BoardConfig()
platform = Path(env.PioPlatform().get_dir())
folders = [platform / folder for folder in board.get("build.folders")]
cpu = [f"-mcpu={board.get('build.cpu')}", "-mthumb"]

env.Replace(
    AR="arm-none-eabi-gcc-ar",
    AS="arm-none-eabi-gcc",
    CC="arm-none-eabi-gcc",
    CXX="arm-none-eabi-gcc",
    LINK="arm-none-eabi-gcc",  # not g++: no C++ library is needed, nor always installed
    RANLIB="arm-none-eabi-gcc-ranlib",
    SIZETOOL="arm-none-eabi-size",
    SIZEPROGREGEXP=r"^(?:\.text|\.boot2|\.ARM\.exidx|\.data)\s+(\d+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss)\s+(\d+).*",
    SIZECHECKCMD="$SIZETOOL -A $SOURCES",
    SIZEPRINTCMD="$SIZETOOL $SOURCES",
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    LDSCRIPT_PATH=str(platform / board.get("build.linker_script")),
)
env.Append(
    ASFLAGS=cpu,
    ASPPFLAGS=["-x", "assembler-with-cpp"],
    # what the Arduino cores pass, too: a char without a sign, a section for each function
    CCFLAGS=[
        *cpu,
        *"-Os -g -funsigned-char -ffunction-sections -fdata-sections".split(),
        *"-Wall -Wextra -Werror".split(),
    ],
    CFLAGS=(
        "-std=c11 -Wconversion -Wshadow -Wpedantic -Wcast-qual -Wstrict-prototypes "
        "-Wmissing-prototypes"
    ).split(),
    CXXFLAGS="-std=gnu++14 -fno-exceptions -fno-rtti -fno-threadsafe-statics".split(),
    CPPPATH=list(map(str, folders)),
    LIBPATH=list(map(str, folders)),  # of what a linker script includes
    LINKFLAGS=[*cpu, "-nostartfiles", "--specs=nano.specs", "-Wl,--gc-sections"],
)
for folder in folders:
    env.BuildSources(str(Path("$BUILD_DIR") / "platform" / folder.name), str(folder))

firmware = env.BuildProgram()
targets = [env.Alias("buildprog", firmware, firmware)]
if board.get("build.uf2", False):
    convert = '"$PYTHONEXE" "$PROJECT_DIR/tools/make_uf2.py" $SOURCE $TARGET'
    action = env.VerboseAction(convert, "Building $TARGET")
    targets.append(env.Command("$BUILD_DIR/${PROGNAME}.uf2", firmware, action))
AlwaysBuild(env.Alias("nobuild", firmware))
Default(targets)
