# SPDX-License-Identifier: ISC
# cmake -DSOURCE=... -DBUILD=... -DLAUNCHER=... -P build.cmake: the drivers as a release has its code. The tests' own build
# has sanitizers in it, which valgrind cannot run, and whose instructions nobody wants counted.
execute_process(COMMAND ${CMAKE_COMMAND} -S ${SOURCE} -B ${BUILD} -G Ninja -DCMAKE_BUILD_TYPE=Release
  "-DCMAKE_C_FLAGS_RELEASE=-O2 -g" -DCMAKE_C_COMPILER=gcc -DCMAKE_C_COMPILER_LAUNCHER=${LAUNCHER} -DSEKISHO_HARDEN=ON
  -DSEKISHO_TESTS=OFF OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${CMAKE_COMMAND} --build ${BUILD} --target micro -j2 COMMAND_ERROR_IS_FATAL ANY)
