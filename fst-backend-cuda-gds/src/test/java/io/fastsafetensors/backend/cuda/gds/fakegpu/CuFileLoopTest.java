package io.fastsafetensors.backend.cuda.gds.fakegpu;

import static org.junit.jupiter.api.Assertions.assertTrue;

import io.fastsafetensors.test.ChildProcess;
import io.fastsafetensors.test.gpu.Face;
import io.fastsafetensors.test.gpu.FakeGpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/// The program that fst's direct storage is held against reads all bytes, in each of its ways.
@EnabledOnOs(OS.LINUX)
@Timeout(600)
class CuFileLoopTest {
    @TempDir
    Path folder;

    @Test
    void it_reads_every_byte_in_each_way() throws IOException {
        Path program = NativeCode.loop(folder);
        FakeGpu.build(folder, Face.CUDA);
        NativeCode.cuFile(folder);
        Path first = Files.write(folder.resolve("first"), new byte[3_000_001]);
        Path second = Files.write(folder.resolve("second"), new byte[4096]);
        for (List<String> way : List.of(List.<String>of(), List.of("-r"), List.of("-l"), List.of("-l", "-r", "-p"))) {
            List<String> arguments = new ArrayList<>(way);
            arguments.addAll(List.of("-t", "3", "-b", "64", "-n", "2", first.toString(), second.toString()));
            String output = run(0, program, arguments.toArray(String[]::new));
            assertTrue(output.contains("2 files, 3004097 bytes, 3 threads, blocks of 64 KiB"), output);
            assertTrue(output.contains("repeat 2: ") && output.contains("GB/s"), output);
        }
        assertTrue(run(1, program, folder.resolve("missing").toString()).contains("cannot open"));
        run(2, program);
    }

    private String run(int status, Path program, String... arguments) {
        return ChildProcess.of((Object[]) arguments).under(List.of(program.toString()))
                .environment("LD_LIBRARY_PATH", folder).run().withStatus(status).output();
    }
}
