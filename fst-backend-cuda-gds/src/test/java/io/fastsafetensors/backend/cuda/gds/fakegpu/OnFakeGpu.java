package io.fastsafetensors.backend.cuda.gds.fakegpu;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// A class of tests for the JVM that has the fake GPU and the fake cuFile instead of real ones.
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@EnabledIfSystemProperty(named = "fst.test.fakeGpu", matches = "true",
        disabledReason = "the fakes take the place of the real libraries in their JVM; the build runs this in one"
                + " of its own")
@interface OnFakeGpu {
}
