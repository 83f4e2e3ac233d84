package io.fastsafetensors.backend.cuda.fakegpu;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;

/// A class of tests for the JVM that has the fake GPU instead of a real one.
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@EnabledIfSystemProperty(named = "fst.test.fakeGpu", matches = "true",
        disabledReason = "the fake GPU takes the real driver's place in its JVM; the build runs this in one of its own")
@interface OnFakeGpu {
}
