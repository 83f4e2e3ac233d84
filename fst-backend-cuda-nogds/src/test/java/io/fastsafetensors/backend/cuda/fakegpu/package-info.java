/// Tests on the fake GPU of fst-test-support, which takes the real driver's place for a whole JVM: the build runs them in one of
/// their own, and names it in the system property `fst.test.fakeGpu`.
package io.fastsafetensors.backend.cuda.fakegpu;
