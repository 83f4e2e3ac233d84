package io.fastsafetensors.bench;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Safetensors;
import io.fastsafetensors.testkit.fixture.Content;
import io.fastsafetensors.testkit.fixture.SafetensorsFixture;
import io.fastsafetensors.types.DType;
import io.fastsafetensors.types.Shape;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/// Opening one file with many tensors: parse and validation of a header from the page cache. With `-prof gc`,
/// `gc.alloc.rate.norm` over 12,394,918, the header's length for 100,000 tensors, is what a byte of it costs on the heap.
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(value = 1, jvmArgsAppend = "-Xmx1g")
@State(Scope.Benchmark)
public class HeaderBenchmark {
    private static final String[] PARTS =
            {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj", "input_layernorm"};

    /// How many tensors the file has.
    @Param("100000")
    public int tensors;

    private Path file;

    /// Writes the file; its data is one hole, which takes no room.
    @Setup(Level.Trial)
    public void write() throws IOException {
        SafetensorsFixture fixture = SafetensorsFixture.create().metadata("format", "pt");
        for (int i = 0; i < tensors; i++) {
            fixture.tensor("model.layers." + i / PARTS.length + "." + PARTS[i % PARTS.length] + ".weight", DType.BF16,
                    Shape.of(4096, 4096), Content.hole());
        }
        file = fixture.write(Files.createTempFile("header", ".safetensors")).path();
    }

    /// Deletes the file.
    @TearDown(Level.Trial)
    public void delete() throws IOException {
        Files.delete(file);
    }

    /// Opens the file.
    @Benchmark
    public Checkpoint open() {
        return Safetensors.open(file);
    }
}
