package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.error.StorageException;
import io.fastsafetensors.error.Where;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.security.cert.CertPathValidatorException;
import java.security.cert.CertificateException;
import java.time.Duration;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jfr.FlightRecorder;
import javax.net.ssl.SSLException;
import org.jspecify.annotations.Nullable;

/// Sends requests over pooled connections, follows redirects, retries what may be retried, and says in one message what went
/// wrong for good. Thread-safe.
public final class HttpClient implements AutoCloseable {
    private static final int MOST_REDIRECTS = 10;
    private static final int MOST_OF_AN_ERROR = 16 * 1024;
    private static final Duration LONGEST_WAIT = Duration.ofSeconds(60);
    private static final Duration SKEW = Duration.ofMinutes(4);
    private static final Pattern CODE = Pattern.compile("<Code>\\s*([A-Za-z0-9.]{1,64})\\s*</Code>");

    private final Connections connections;
    private final RetryBudget retries;

    /// Connects to nothing yet.
    ///
    /// @throws StorageException if a setting is of no use
    public HttpClient(HttpSettings settings) {
        this.connections = new Connections(settings);
        this.retries = new RetryBudget(settings);
    }

    /// An answer that was read whole; its text is the status, because a body may hold a secret.
    public static final class Document {
        private final Head head;
        private final byte[] body;

        Document(Head head, byte[] body) {
            this.head = head;
            this.body = body;
        }

        /// Status and headers.
        public Head head() {
            return head;
        }

        /// The body; not a copy.
        public byte[] body() {
            return body;
        }

        @Override
        public String toString() {
            return "answer " + head.status();
        }
    }

    /// Fetches a document.
    ///
    /// @param most the most bytes that it may have
    /// @return empty if there is none (404)
    public Optional<Document> fetch(Origin origin, int most) {
        DocumentCall call = new DocumentCall("GET", "", most);
        run(origin, call);
        return call.result();
    }

    /// Sends a form and fetches the answer.
    ///
    /// @param form encoded as application/x-www-form-urlencoded
    public Document post(Origin origin, String form, int most) {
        DocumentCall call = new DocumentCall("POST", form, most);
        run(origin, call);
        return call.result().orElseThrow(() -> new StorageException("the service is not there (404); check its address",
                origin.location().where()));
    }

    /// Sends a request until it succeeds, or fails for good.
    void run(Origin origin, HttpCall call) {
        new Run(origin, call).run();
    }

    /// The log of one request: tries, redirects and failures.
    private final class Run {
        private final Origin origin;
        private final HttpCall call;
        private Address address;
        private int redirects;
        private int failures;
        private boolean renewed;
        private int tries;
        private long firstByteNanos;

        Run(Origin origin, HttpCall call) {
            this.origin = origin;
            this.call = call;
            this.address = origin.address();
        }

        void run() {
            // Its class is not even loaded while nobody records.
            RequestEvent event = FlightRecorder.isInitialized() ? RequestEvent.begun() : null;
            String outcome = "failed";
            try {
                sendUntilDone();
                outcome = "done";
            } finally {
                Traffic traffic = call.traffic();
                if (traffic != null) {
                    traffic.done(tries, call.received());
                }
                if (event != null) {
                    event.finish(origin.location(), address, call, tries, firstByteNanos, outcome);
                }
            }
        }

        private void sendUntilDone() {
            retries.request();
            while (true) {
                if (Thread.currentThread().isInterrupted()) {
                    throw failure("interrupted", null);
                }
                long before = call.received();
                Connection connection = null;
                try {
                    connection = connections.take(address);
                    tries++;
                    long sent = System.nanoTime();
                    connection.send(request(connection));
                    Head head = connection.receive(call.method().equals("HEAD"));
                    answered(System.nanoTime() - sent);
                    if (handle(connection, head)) {
                        connections.release(address, connection);
                        return;
                    }
                } catch (IOException e) {
                    boolean stale = connection != null && connection.isReused() && !connection.isAnswered();
                    if (connection != null) {
                        connections.discard(connection);
                    }
                    failed(e, stale, call.received() > before);
                } catch (RuntimeException e) {
                    if (connection != null) {
                        connections.discard(connection);
                    }
                    throw e;
                }
            }
        }

        private void answered(long nanos) {
            firstByteNanos = nanos;
            Traffic traffic = call.traffic();
            if (traffic != null) {
                traffic.answered(nanos);
            }
        }

        private byte[] request(Connection connection) {
            Headers headers = new Headers();
            headers.set("host", address.hostHeader()).set("accept-encoding", "identity").set("user-agent", "fst");
            byte[] body = call.body();
            if (!call.method().equals("GET") && !call.method().equals("HEAD")) {
                headers.set("content-length", Integer.toString(body.length));
            }
            call.describe(headers);
            origin.authorize(call.method(), address, headers);
            Optional<Proxies.Proxy> forwarding = connection.forwarding();
            forwarding.flatMap(Proxies.Proxy::authorization)
                    .ifPresent(value -> headers.set("proxy-authorization", value));
            StringBuilder text = new StringBuilder(512).append(call.method()).append(' ');
            if (forwarding.isPresent()) {
                text.append(address.server());
            }
            text.append(address.target()).append(" HTTP/1.1\r\n");
            headers.values().forEach((name, value) -> text.append(name).append(": ").append(value).append("\r\n"));
            byte[] head = text.append("\r\n").toString().getBytes(StandardCharsets.ISO_8859_1);
            byte[] whole = new byte[head.length + body.length];
            System.arraycopy(head, 0, whole, 0, head.length);
            System.arraycopy(body, 0, whole, head.length, body.length);
            return whole;
        }

        /// Deals with an answer.
        ///
        /// @return whether the request is done; else it is to be sent again
        private boolean handle(Connection connection, Head head) throws IOException {
            int status = head.status();
            if (call.accepts(status)) {
                call.receive(connection, head);
                return true;
            }
            if (isRedirect(status) && origin.followsRedirects()) {
                connections.release(address, connection);
                redirect(head);
                return false;
            }
            Optional<String> code = code(connection);
            connections.release(address, connection);
            if (isTransient(status, code)) {
                String what = "the server answers " + status + code.map(text -> " " + text).orElse("");
                Optional<Duration> asked = head.retryAfter();
                if (asked.isPresent() && asked.get().compareTo(LONGEST_WAIT) > 0) {
                    throw failure(what + " and asks to wait " + Connections.text(asked.get()) + "; try again later",
                            null);
                }
                retry(what, null, asked.orElse(Duration.ZERO));
                return false;
            }
            if (!renewed && origin.renew(address, head, code)) {
                renewed = true;
                address = origin.address();
                return false;
            }
            throw failure(refusal(head, code), null);
        }

        private void redirect(Head head) {
            String to = head.header("location").orElseThrow(() -> failure(
                    "the server redirects (" + head.status() + ") without saying where to", null));
            if (++redirects > MOST_REDIRECTS) {
                throw failure("the server redirects in a loop: more than " + MOST_REDIRECTS
                        + " times, the last time to " + address.server() + "; check the address", null);
            }
            Address next;
            try {
                next = address.redirect(to);
            } catch (IllegalArgumentException e) {
                throw failure("the server redirects (" + head.status() + ") to " + e.getMessage(), null);
            }
            if (address.tls() && !next.tls()) {
                throw failure("the server redirects from https to http at " + next.server()
                        + ", where anyone could change the bytes; this is not followed", null);
            }
            address = next;
            origin.redirected(next);
        }

        private Optional<String> code(Connection connection) throws IOException {
            byte[] bytes = new byte[MOST_OF_AN_ERROR];
            MemorySegment body = MemorySegment.ofArray(bytes);
            int size = 0;
            while (size < bytes.length) {
                long count = connection.read(body, size, bytes.length - size);
                if (count < 0) {
                    break;
                }
                size += (int) count;
            }
            Matcher found = CODE.matcher(new String(bytes, 0, size, StandardCharsets.UTF_8));
            return found.find() ? Optional.of(found.group(1)) : Optional.empty();
        }

        private String refusal(Head head, Optional<String> code) {
            int status = head.status();
            String what = "the server at " + connections.route(address) + " answers " + status
                    + code.map(text -> " " + text).orElse("");
            Optional<Duration> ahead = head.clockAhead().filter(difference -> difference.abs().compareTo(SKEW) > 0);
            boolean refused = status == 400 || status == 401 || status == 403;
            if (refused && (code.equals(Optional.of("RequestTimeTooSkewed")) || ahead.isPresent())) {
                return what + ": this machine's clock is " + ahead
                        .map(difference -> difference.abs().toMinutes() + " minutes "
                                + (difference.isNegative() ? "behind" : "ahead of") + " the server's")
                        .orElse("not the server's") + "; set it";
            }
            return what + switch (status) {
                case 401, 403 -> " (access refused)";
                case 404, 410 -> " (not there)";
                case 407 -> " (the proxy wants credentials; put them into its address, http://user:password@host:port)";
                default -> "";
            } + "; " + origin.remedy(head, code);
        }

        private void failed(IOException e, boolean stale, boolean progress) {
            if (Thread.currentThread().isInterrupted()) {
                throw failure("interrupted", e);
            }
            if (e instanceof Connection.ProxyRefusal) {
                throw failure(e.getMessage() + "; check the proxy's address, credentials and rules", e);
            }
            if (isDistrust(e)) {
                throw failure("TLS with " + connections.route(address) + " failed: " + root(e)
                        + "; if its certificate is right, add its authority to a trust store (javax.net.ssl.trustStore)",
                        e);
            }
            if (stale) {
                // The server closed a connection that was idle; the next one is another.
                return;
            }
            if (progress) {
                failures = 0;
            }
            retry(describe(e), e, Duration.ZERO);
        }

        private void retry(String what, @Nullable Throwable cause, Duration least) {
            failures++;
            if (!retries.allows(failures)) {
                throw failure(what + " (" + connections.route(address) + ", try " + failures
                        + "); check the network and the server, then try again", cause);
            }
            Duration pause = retries.pause(failures);
            try {
                Thread.sleep(pause.compareTo(least) < 0 ? least : pause);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw failure("interrupted", e);
            }
        }

        private StorageException failure(String what, @Nullable Throwable cause) {
            Where where = origin.location().where();
            return new StorageException(what, call.offset() < 0 ? where : where.withOffset(call.offset()), cause);
        }
    }

    private static String describe(IOException e) {
        String message = e.getMessage();
        return message == null ? "the connection failed (" + e.getClass().getSimpleName() + ")" : message;
    }

    private static boolean isDistrust(Throwable thrown) {
        for (Throwable t = thrown; t != null; t = t.getCause()) {
            if (t instanceof CertificateException || t instanceof CertPathValidatorException) {
                return true;
            }
        }
        return thrown instanceof SSLException && String.valueOf(thrown.getMessage()).contains("SSL message");
    }

    private static String root(Throwable thrown) {
        Throwable root = thrown;
        while (root.getCause() != null) {
            root = root.getCause();
        }
        return String.valueOf(root.getMessage());
    }

    private static boolean isRedirect(int status) {
        return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
    }

    private static boolean isTransient(int status, Optional<String> code) {
        return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 505 && status != 511)
                || code.filter(text -> text.equals("RequestTimeout") || text.equals("SlowDown")).isPresent();
    }

    /// Closes every connection. Idempotent.
    @Override
    public void close() {
        connections.close();
    }
}
