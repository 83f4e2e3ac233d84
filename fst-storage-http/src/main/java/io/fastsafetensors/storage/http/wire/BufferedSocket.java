package io.fastsafetensors.storage.http.wire;

import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.security.NoSuchAlgorithmException;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLParameters;
import javax.net.ssl.SSLSocket;
import org.jspecify.annotations.Nullable;

/// The bytes of one socket, plain or by TLS, with a buffer for what comes in lines. Knows the ends of lines and heads, and
/// nothing else of HTTP. Used by one thread at a time; any thread closes it, which ends a call that waits.
final class BufferedSocket {
    /// Bytes of the buffer: room for the head of an answer and for a record of TLS.
    static final int BUFFER = 32 * 1024;
    /// The most bytes that a read asks of the system, and so of one native buffer.
    private static final long MOST = 1 << 30;

    private final SocketChannel channel = SocketChannel.open();
    private final byte[] buffer = new byte[BUFFER];
    private int begin;
    private int end;
    private @Nullable SSLSocket tls;
    private boolean answered;

    /// Not connected yet.
    BufferedSocket() throws IOException {
    }

    void connect(InetSocketAddress peer) throws IOException {
        channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
        channel.connect(peer);
    }

    /// Goes on by TLS, with the server's name checked against its certificate.
    void secure(Address server) throws IOException {
        try {
            SSLSocket secured = (SSLSocket) SSLContext.getDefault().getSocketFactory()
                    .createSocket(channel.socket(), server.host(), server.port(), true);
            SSLParameters parameters = secured.getSSLParameters();
            parameters.setEndpointIdentificationAlgorithm("HTTPS");
            secured.setSSLParameters(parameters);
            secured.startHandshake();
            tls = secured;
        } catch (NoSuchAlgorithmException e) {
            throw new IOException("this JDK has no TLS", e);
        }
    }

    /// Writes all bytes.
    void write(byte[] bytes) throws IOException {
        answered = false;
        SSLSocket secured = tls;
        if (secured != null) {
            OutputStream out = secured.getOutputStream();
            out.write(bytes);
            out.flush();
            return;
        }
        ByteBuffer rest = ByteBuffer.wrap(bytes);
        while (rest.hasRemaining()) {
            channel.write(rest);
        }
    }

    /// Whether a byte has come since the last write.
    boolean isAnswered() {
        return answered;
    }

    /// Whether nothing is left in the buffer.
    boolean isEmpty() {
        return begin == end;
    }

    /// Drops what is left in the buffer.
    void clear() {
        begin = end;
    }

    /// The text up to the next blank line, which is included.
    ///
    /// @throws IOException if it is longer than the buffer
    /// @throws EOFException if the connection ends before
    String head() throws IOException {
        int from = begin;
        while (true) {
            int blank = blankLine(from);
            if (blank > 0) {
                String text = new String(buffer, begin, blank - begin, StandardCharsets.ISO_8859_1);
                begin = blank;
                return text;
            }
            if (begin > 0) {
                System.arraycopy(buffer, begin, buffer, 0, end - begin);
                end -= begin;
                begin = 0;
            }
            if (end == buffer.length) {
                throw new IOException("the answer's head is longer than " + buffer.length + " bytes");
            }
            from = Math.max(0, end - 3);
            int count = receiveInto(end, buffer.length - end);
            if (count < 0) {
                throw new EOFException(answered ? "the connection ended in the head of the answer"
                        : "the connection ended before an answer");
            }
            answered = true;
            end += count;
        }
    }

    /// Where the next blank line ends, 0 if it has not come yet.
    private int blankLine(int from) {
        for (int i = Math.max(from, begin); i + 1 < end; i++) {
            if (buffer[i] == '\n' && (buffer[i + 1] == '\n'
                    || (buffer[i + 1] == '\r' && i + 2 < end && buffer[i + 2] == '\n'))) {
                return buffer[i + 1] == '\n' ? i + 2 : i + 3;
            }
        }
        return 0;
    }

    private int receiveInto(int at, int most) throws IOException {
        SSLSocket secured = tls;
        if (secured != null) {
            InputStream in = secured.getInputStream();
            return in.read(buffer, at, most);
        }
        return channel.read(ByteBuffer.wrap(buffer, at, most));
    }

    /// Reads more into the empty buffer; it stays empty at the connection's end.
    private void refill() throws IOException {
        begin = 0;
        end = Math.max(0, receiveInto(0, buffer.length));
    }

    /// The next line, without its end.
    ///
    /// @throws EOFException if the connection ends before
    String line() throws IOException {
        StringBuilder line = new StringBuilder();
        while (true) {
            if (isEmpty()) {
                refill();
                if (isEmpty()) {
                    throw new EOFException("the connection ended in the middle of the answer's body");
                }
            }
            char c = (char) (buffer[begin++] & 0xff);
            if (c == '\n') {
                return line.toString();
            }
            if (c != '\r') {
                line.append(c);
            }
            if (line.length() > BUFFER) {
                throw new IOException("the answer has a line longer than " + BUFFER + " bytes");
            }
        }
    }

    /// The next bytes, straight into native memory unless they are in the buffer or come by TLS.
    ///
    /// @return how many, at least 1; −1 at the connection's end
    long read(MemorySegment target, long at, long most) throws IOException {
        if (isEmpty() && tls == null && most > buffer.length) {
            return channel.read(target.asSlice(at, Math.min(most, MOST)).asByteBuffer());
        }
        if (isEmpty()) {
            refill();
        }
        if (isEmpty()) {
            return -1;
        }
        int count = (int) Math.min(most, end - begin);
        MemorySegment.copy(buffer, begin, target, ValueLayout.JAVA_BYTE, at, count);
        begin += count;
        return count;
    }

    /// From any thread.
    void close() throws IOException {
        channel.close();
    }
}
