// What Python sees: XLA FFI handlers and plain C entry points.
#include <string>

#include "engine.h"
#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

namespace qjax {
namespace {

ffi::Error invalid(const std::string& what) { return ffi::Error(ffi::ErrorCode::kInvalidArgument, "qjax: " + what); }

std::vector<int64_t> leading(const ffi::AnyBuffer& buffer) {
  const auto dims = buffer.dimensions();
  return {dims.begin(), dims.end() - 1};
}

// Whether a buffer is [*sizes, length] with sizes that are the grid's or 1, of the wanted type.
bool fits(const ffi::AnyBuffer& buffer, ffi::DataType type, const std::vector<int64_t>& grid, int64_t length) {
  const auto dims = buffer.dimensions();
  if (buffer.element_type() != type || dims.size() != grid.size() + 1 || dims.back() != length) return false;
  for (size_t d = 0; d < grid.size(); ++d)
    if (dims[d] != 1 && dims[d] != grid[d]) return false;
  return true;
}

// What has a row for each parameter, and a row for each feature; null is not wanted.
struct Outputs {
  void* data[2] = {nullptr, nullptr};
  std::vector<int64_t> sizes[2];
};

// Finds the results that are wanted; false where they are not what they should be.
bool take_wanted(ffi::RemainingRets& results, ffi::DataType type, const std::vector<int64_t>& grid, const Plan& plan,
                 bool params_wanted, bool features_wanted, Outputs& out) {
  if (results.size() != size_t(params_wanted) + features_wanted) return false;
  const bool wanted[2] = {params_wanted, features_wanted};
  const int64_t lengths[2] = {plan.num_params, plan.num_features};
  for (size_t which = 0, next = 0; which < 2; ++which) {
    if (!wanted[which]) continue;
    auto result = results.get<ffi::AnyBuffer>(next++);
    if (!result.has_value() || !fits(**result, type, grid, lengths[which])) return false;
    out.data[which] = (*result)->untyped_data();
    out.sizes[which] = leading(**result);
  }
  return true;
}

Rowed rowed(const ffi::AnyBuffer& buffer) { return {buffer.untyped_data(), leading(buffer)}; }

Threads threads_of(ffi::ThreadPool& pool) {
  return {[&pool](std::function<void()> task) { pool.Schedule(std::move(task)); },
          int(std::max<int64_t>(1, pool.num_threads()))};
}

// Runs a handler's body; whatever it throws becomes an error of the computation.
template <class Body>
ffi::Error guarded(Body&& body) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return ffi::Error(ffi::ErrorCode::kResourceExhausted,
                      "qjax: there is not enough memory for the circuit's states. Use fewer qubits.");
  } catch (const std::exception& error) {
    return invalid(error.what());
  }
}

ffi::Error evaluate_handler(ffi::ThreadPool pool, ffi::AnyBuffer params, ffi::AnyBuffer features,
                            ffi::Result<ffi::AnyBuffer> values, ffi::Span<const int32_t> words,
                            ffi::Span<const double> constants, int64_t hash) {
  return guarded([&]() -> ffi::Error {
    const auto plan = cached_plan({words.begin(), words.size(), constants.begin(), constants.size()}, hash);
    const ffi::DataType type = values->element_type();
    if (type != ffi::F32 && type != ffi::F64) return invalid("values must be float32 or float64");
    if (values->dimensions().size() < 1) return invalid("values must have a dimension");
    const std::vector<int64_t> grid = leading(*values);
    if (!fits(*values, type, grid, plan->num_observables)) return invalid("values have the wrong shape");
    if (!fits(params, type, grid, plan->num_params)) return invalid("params have the wrong type or shape");
    if (!fits(features, type, grid, plan->num_features)) return invalid("features have the wrong type or shape");
    const Threads threads = threads_of(pool);
    if (type == ffi::F32)
      evaluate(*plan, grid, rowed(params), rowed(features), static_cast<float*>(values->untyped_data()), threads);
    else
      evaluate(*plan, grid, rowed(params), rowed(features), static_cast<double*>(values->untyped_data()), threads);
    return ffi::Error::Success();
  });
}

template <bool kSquares>
ffi::Error states_handler(ffi::ThreadPool pool, ffi::AnyBuffer params, ffi::AnyBuffer features,
                          ffi::Result<ffi::AnyBuffer> states, ffi::Span<const int32_t> words,
                          ffi::Span<const double> constants, int64_t hash) {
  return guarded([&]() -> ffi::Error {
    const auto plan = cached_plan({words.begin(), words.size(), constants.begin(), constants.size()}, hash);
    const ffi::DataType type = states->element_type(), real = params.element_type();
    const bool is_single = real == ffi::F32;
    if (!is_single && real != ffi::F64) return invalid("params must be float32 or float64");
    if (type != (kSquares ? real : is_single ? ffi::C64 : ffi::C128)) return invalid("states have the wrong type");
    if (states->dimensions().size() < 1) return invalid("states must have a dimension");
    const std::vector<int64_t> grid = leading(*states);
    if (!fits(*states, type, grid, int64_t(1) << plan->num_qubits)) return invalid("states have the wrong shape");
    if (!fits(params, real, grid, plan->num_params)) return invalid("params have the wrong shape");
    if (!fits(features, real, grid, plan->num_features)) return invalid("features have the wrong type or shape");
    const Threads threads = threads_of(pool);
    void* out = states->untyped_data();
    if (is_single)
      read_states(*plan, grid, rowed(params), rowed(features), kSquares, static_cast<float*>(out), threads);
    else
      read_states(*plan, grid, rowed(params), rowed(features), kSquares, static_cast<double*>(out), threads);
    return ffi::Error::Success();
  });
}

ffi::Error pull_back_handler(ffi::ThreadPool pool, ffi::AnyBuffer params, ffi::AnyBuffer features,
                             ffi::AnyBuffer cotangents, ffi::RemainingRets gradients,
                             ffi::Span<const int32_t> words, ffi::Span<const double> constants, int64_t hash,
                             ffi::Span<const int64_t> grid_sizes, bool params_wanted, bool features_wanted) {
  return guarded([&]() -> ffi::Error {
    const auto plan = cached_plan({words.begin(), words.size(), constants.begin(), constants.size()}, hash);
    const ffi::DataType type = cotangents.element_type();
    if (type != ffi::F32 && type != ffi::F64) return invalid("cotangents must be float32 or float64");
    const std::vector<int64_t> grid(grid_sizes.begin(), grid_sizes.end());
    for (int64_t size : grid)
      if (size < 0) return invalid("a grid's size is negative");
    if (!fits(params, type, grid, plan->num_params)) return invalid("params have the wrong type or shape");
    if (!fits(features, type, grid, plan->num_features)) return invalid("features have the wrong type or shape");
    if (!fits(cotangents, type, grid, plan->num_observables))
      return invalid("cotangents have the wrong type or shape");
    Outputs out;
    if (!take_wanted(gradients, type, grid, *plan, params_wanted, features_wanted, out))
      return invalid("gradients have the wrong number, type or shape");
    const Threads threads = threads_of(pool);
    if (type == ffi::F32)
      pull_back(*plan, grid, rowed(params), rowed(features), rowed(cotangents), static_cast<float*>(out.data[0]),
                out.sizes[0], static_cast<float*>(out.data[1]), out.sizes[1], threads);
    else
      pull_back(*plan, grid, rowed(params), rowed(features), rowed(cotangents), static_cast<double*>(out.data[0]),
                out.sizes[0], static_cast<double*>(out.data[1]), out.sizes[1], threads);
    return ffi::Error::Success();
  });
}

ffi::Error differentiate_handler(ffi::ThreadPool pool, ffi::AnyBuffer params, ffi::AnyBuffer features,
                                 ffi::Result<ffi::AnyBuffer> values, ffi::RemainingRets slopes,
                                 ffi::Span<const int32_t> words, ffi::Span<const double> constants, int64_t hash,
                                 bool params_wanted, bool features_wanted) {
  return guarded([&]() -> ffi::Error {
    const auto plan = cached_plan({words.begin(), words.size(), constants.begin(), constants.size()}, hash);
    const ffi::DataType type = values->element_type();
    if (type != ffi::F32 && type != ffi::F64) return invalid("values must be float32 or float64");
    if (values->dimensions().size() < 1) return invalid("values must have a dimension");
    const std::vector<int64_t> grid = leading(*values);
    if (plan->num_observables != 1 || !fits(*values, type, grid, 1)) return invalid("there must be one observable");
    if (!fits(params, type, grid, plan->num_params)) return invalid("params have the wrong type or shape");
    if (!fits(features, type, grid, plan->num_features)) return invalid("features have the wrong type or shape");
    Outputs out;
    bool is_right = take_wanted(slopes, type, grid, *plan, params_wanted, features_wanted, out);
    for (int k = 0; k < 2; ++k) is_right &= !out.data[k] || out.sizes[k] == grid;
    if (!is_right) return invalid("slopes have the wrong number, type or shape");
    const Threads threads = threads_of(pool);
    if (type == ffi::F32)
      differentiate(*plan, grid, rowed(params), rowed(features), static_cast<float*>(values->untyped_data()),
                    static_cast<float*>(out.data[0]), static_cast<float*>(out.data[1]), threads);
    else
      differentiate(*plan, grid, rowed(params), rowed(features), static_cast<double*>(values->untyped_data()),
                    static_cast<double*>(out.data[0]), static_cast<double*>(out.data[1]), threads);
    return ffi::Error::Success();
  });
}

}  // namespace
}  // namespace qjax

#define QJAX_EXPORT extern "C" __attribute__((visibility("default")))

#pragma GCC visibility push(default)
XLA_FFI_DEFINE_HANDLER_SYMBOL(qjax_evaluate, qjax::evaluate_handler,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .Attr<ffi::Span<const int32_t>>("words")
                                  .Attr<ffi::Span<const double>>("constants")
                                  .Attr<int64_t>("hash"));

#define QJAX_DEFINE_STATES(symbol, squares)                                    \
  XLA_FFI_DEFINE_HANDLER_SYMBOL(symbol, qjax::states_handler<squares>,         \
                                ffi::Ffi::Bind()                               \
                                    .Ctx<ffi::ThreadPool>()                    \
                                    .Arg<ffi::AnyBuffer>()                     \
                                    .Arg<ffi::AnyBuffer>()                     \
                                    .Ret<ffi::AnyBuffer>()                     \
                                    .Attr<ffi::Span<const int32_t>>("words")   \
                                    .Attr<ffi::Span<const double>>("constants")\
                                    .Attr<int64_t>("hash"))
QJAX_DEFINE_STATES(qjax_statevector, false);
QJAX_DEFINE_STATES(qjax_probabilities, true);

XLA_FFI_DEFINE_HANDLER_SYMBOL(qjax_pull_back, qjax::pull_back_handler,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .RemainingRets()
                                  .Attr<ffi::Span<const int32_t>>("words")
                                  .Attr<ffi::Span<const double>>("constants")
                                  .Attr<int64_t>("hash")
                                  .Attr<ffi::Span<const int64_t>>("grid")
                                  .Attr<bool>("params_wanted")
                                  .Attr<bool>("features_wanted"));

XLA_FFI_DEFINE_HANDLER_SYMBOL(qjax_differentiate, qjax::differentiate_handler,
                              ffi::Ffi::Bind()
                                  .Ctx<ffi::ThreadPool>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Arg<ffi::AnyBuffer>()
                                  .Ret<ffi::AnyBuffer>()
                                  .RemainingRets()
                                  .Attr<ffi::Span<const int32_t>>("words")
                                  .Attr<ffi::Span<const double>>("constants")
                                  .Attr<int64_t>("hash")
                                  .Attr<bool>("params_wanted")
                                  .Attr<bool>("features_wanted"));
#pragma GCC visibility pop

// The version of the table and of the handlers' signatures.
QJAX_EXPORT int qjax_abi_version() { return qjax::kTableVersion; }

// Decodes a table; the message (at most `capacity` bytes, empty when it is well-formed) says what is wrong.
QJAX_EXPORT int qjax_check_table(const int32_t* words, size_t num_words, const double* constants,
                                 size_t num_constants, char* message, size_t capacity) {
  std::string problem;
  try {
    qjax::decode({words, num_words, constants, num_constants});
  } catch (const std::exception& error) {
    problem = error.what();
  }
  if (capacity > 0) {
    const size_t length = std::min(problem.size(), capacity - 1);
    problem.copy(message, length);
    message[length] = '\0';
  }
  return problem.empty() ? 0 : 1;
}

// What a table's circuits take: six numbers, as in `Description`; 1 where the table is malformed.
QJAX_EXPORT int qjax_describe(const int32_t* words, size_t num_words, const double* constants, size_t num_constants,
                              int is_double, int64_t sets, int64_t samples, int backward, int threads, double* out) {
  try {
    const qjax::Plan plan = qjax::decode({words, num_words, constants, num_constants});
    qjax::Threads available;
    available.count = threads;
    const auto found = is_double ? qjax::describe<double>(plan, sets, samples, backward, available)
                                 : qjax::describe<float>(plan, sets, samples, backward, available);
    const double numbers[] = {found.passes,      found.flops,      found.bytes,
                              found.working_set, found.per_vector, found.threads};
    std::copy(std::begin(numbers), std::end(numbers), out);
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}

// The instruction-set level that the library was built for.
QJAX_EXPORT const char* qjax_isa() { return QJAX_ISA; }
