/// The kit under test: right backends pass, each broken one fails exactly its rule, missing hardware is said aloud.
/// The suite runs inside these tests through the engine's own test kit.
/// What it runs is a nested class, so that no other runner picks it up.
@NullMarked
package io.fastsafetensors.testkit;

import org.jspecify.annotations.NullMarked;
