/// Programs that tests run in processes of their own. Not in the backend's package, which belongs to its module there.
package io.fastsafetensors.backend.cuda.child;
