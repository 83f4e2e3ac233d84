package io.fastsafetensors.storage.http.wire;

import io.fastsafetensors.types.Location;
import jdk.jfr.Category;
import jdk.jfr.DataAmount;
import jdk.jfr.Enabled;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;
import jdk.jfr.Timespan;

/// A request over HTTP, from its first try to its last byte, in a recording of the flight recorder. Holds no secret.
@Name("fst.Request")
@Label("HTTP Request")
@Category("fst")
@StackTrace(false)
@Enabled(false)
final class RequestEvent extends Event {
    @Label("Server")
    String server = "";

    @Label("Location")
    String location = "";

    @Label("Method")
    String method = "";

    @Label("Offset")
    long offset;

    @Label("Bytes")
    @DataAmount
    long bytes;

    @Label("Tries")
    int tries;

    @Label("Time to First Byte")
    @Timespan(Timespan.NANOSECONDS)
    long firstByteNanos;

    @Label("Outcome")
    String outcome = "";

    /// Starts the clock.
    static RequestEvent begun() {
        RequestEvent event = new RequestEvent();
        event.begin();
        return event;
    }

    /// The request has succeeded or failed for good.
    void finish(Location about, Address at, HttpCall call, int sent, long waited, String how) {
        end();
        if (shouldCommit()) {
            server = at.server();
            location = about.toString();
            method = call.method();
            bytes = call.received();
            offset = call.offset() < 0 ? -1 : call.offset() - bytes;
            tries = sent;
            firstByteNanos = waited;
            outcome = how;
            commit();
        }
    }
}
