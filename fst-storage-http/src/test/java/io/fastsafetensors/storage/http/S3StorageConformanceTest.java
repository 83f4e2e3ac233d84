package io.fastsafetensors.storage.http;

import io.fastsafetensors.spi.storage.StorageProvider;
import io.fastsafetensors.testkit.StorageConformance;
import io.fastsafetensors.testkit.StorageFixture;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.AfterAll;

/// Objects of S3 keep every rule. The server checks no signatures; the published examples and S3Proxy do that.
class S3StorageConformanceTest extends StorageConformance {
    private static final RangeServer SERVER = new RangeServer();

    static {
        SERVER.put("/bucket/", new byte[0]);
        SERVER.behaviour = request -> S3Server.list(SERVER, request, 400);
    }

    @AfterAll
    static void close() {
        SERVER.close();
    }

    @Override
    protected StorageProvider provider() {
        return new S3StorageProvider(_ -> null);
    }

    @Override
    protected StorageFixture fixture() {
        return new WebFixture(SERVER, "s3://bucket");
    }

    @Override
    protected Map<String, String> properties() {
        return new HashMap<>(Remote.quick("s3.endpoint", SERVER.address(), "s3.accessKeyId", "AKIDEXAMPLE",
                "s3.secretAccessKey", "k"));
    }
}
