/// A service of Spring Boot over tensors that fst loads.
@NullMarked
package io.fastsafetensors.examples.spring;

import org.jspecify.annotations.NullMarked;
