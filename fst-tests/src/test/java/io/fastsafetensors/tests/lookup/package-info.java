/// The look-up of fst in the packages and class loaders that programs live in.
package io.fastsafetensors.tests.lookup;
