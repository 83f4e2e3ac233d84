package io.fastsafetensors.cli;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;

/// The costs of one rank's loads, as it sends them to the others.
///
/// @param device where it loaded to
/// @param backend through which backend
/// @param way which way the ranks took, and why
/// @param bytes of the tensors that it has in the end
/// @param seconds the median of the times until it had them
/// @param firstTensor the median of the times until the first one was complete
/// @param bytesRead from files
/// @param bytesReceived from other ranks
/// @param stagingBytes the most page-locked memory
/// @param deviceBytes device memory of the load's buffers
record RankRow(String device, String backend, String way, long bytes, double seconds, double firstTensor,
        long bytesRead, long bytesReceived, long stagingBytes, long deviceBytes) {
    byte[] encode() {
        ByteArrayOutputStream bytesOut = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytesOut)) {
            out.writeUTF(device);
            out.writeUTF(backend);
            out.writeUTF(way);
            out.writeLong(bytes);
            out.writeDouble(seconds);
            out.writeDouble(firstTensor);
            out.writeLong(bytesRead);
            out.writeLong(bytesReceived);
            out.writeLong(stagingBytes);
            out.writeLong(deviceBytes);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytesOut.toByteArray();
    }

    static RankRow decode(byte[] encoded) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(encoded))) {
            return new RankRow(in.readUTF(), in.readUTF(), in.readUTF(), in.readLong(), in.readDouble(),
                    in.readDouble(), in.readLong(), in.readLong(), in.readLong(), in.readLong());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
