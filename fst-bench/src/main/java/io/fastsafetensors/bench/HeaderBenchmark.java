package io.fastsafetensors.bench;

import io.fastsafetensors.api.Checkpoint;
import io.fastsafetensors.api.Safetensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
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
    private static final long TENSOR_BYTES = 4096L * 4096 * 2;

    /// How many tensors the file has.
    @Param("100000")
    public int tensors;

    private Path file;

    /// Writes the file; its data is one hole, which takes no room.
    @Setup(Level.Trial)
    public void write() throws IOException {
        byte[] header = header(tensors).getBytes(StandardCharsets.UTF_8);
        file = Files.createTempFile("header", ".safetensors");
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = ByteBuffer.allocate(8 + header.length).order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(header.length).put(header).flip();
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
            channel.write(ByteBuffer.allocate(1), bytes.capacity() + tensors * TENSOR_BYTES - 1);
        }
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

    private static String header(int tensors) {
        StringBuilder text = new StringBuilder("{\"__metadata__\":{\"format\":\"pt\"}");
        for (int i = 0; i < tensors; i++) {
            text.append(",\"model.layers.").append(i / PARTS.length).append('.').append(PARTS[i % PARTS.length])
                    .append(".weight\":{\"dtype\":\"BF16\",\"shape\":[4096,4096],\"data_offsets\":[")
                    .append(i * TENSOR_BYTES).append(',').append((i + 1) * TENSOR_BYTES).append("]}");
        }
        return text.append('}').toString();
    }
}
