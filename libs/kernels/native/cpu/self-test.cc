// The start-up self-test: small awkward shapes through the kernels that a run's bits depend on, in f32 and bf16, with
// numbers of ordinary size and numbers near the smallest normal one, where flushing and rounding differ between CPUs.
#include <cstring>
#include <vector>

#include "instruction-set.h"

namespace cria {

const uint64_t kSelfTestHash = 0x2dd9ccd266e625dcull;

namespace {

// Deterministic inputs (a 64-bit linear congruential generator, Knuth's MMIX constants).
class Numbers {
 public:
  // Uniform in about (-1, 1), times 2^exponent.
  std::vector<float> floats(size_t count, int exponent = 0) {
    std::vector<float> values(count);
    for (float& value : values) {
      const auto bits = static_cast<int32_t>(next());
      value = static_cast<float>(bits) * 4.656612873077393e-10f;
      for (int i = exponent; i < 0; ++i) value *= 0.5f;
    }
    return values;
  }

  std::vector<int32_t> below(size_t count, uint32_t bound) {
    std::vector<int32_t> values(count);
    for (int32_t& value : values) value = static_cast<int32_t>(next() % bound);
    return values;
  }

 private:
  uint32_t next() {
    state_ = state_ * 6364136223846793005ull + 1442695040888963407ull;
    return static_cast<uint32_t>(state_ >> 32);
  }

  uint64_t state_ = 1;
};

class SelfTest {
 public:
  explicit SelfTest(const cria_kernels& kernels) : kernels_(kernels), context_(cria_context_create(1)) {}
  ~SelfTest() { cria_context_destroy(context_); }

  uint64_t run() {
    for (const cria_dtype dtype : {CRIA_F32, CRIA_BF16}) {
      for (const int exponent : {0, -60, -63}) linear(dtype, exponent);
      attention(dtype);
      elementwise(dtype);
      headLoss(dtype);
    }
    exactSum();
    optimizer();
    return hash_;
  }

 private:
  // Bytes of floats as f32 or bf16.
  std::vector<uint8_t> as(cria_dtype dtype, const std::vector<float>& values) {
    std::vector<uint8_t> bytes(values.size() * (dtype == CRIA_BF16 ? 2 : 4));
    if (dtype == CRIA_BF16) {
      kernels_.f32_to_bf16(context_, reinterpret_cast<uint16_t*>(bytes.data()), values.data(),
                           static_cast<int64_t>(values.size()));
    } else {
      std::memcpy(bytes.data(), values.data(), bytes.size());
    }
    return bytes;
  }

  template <class T>
  void absorb(const std::vector<T>& values) {
    const auto* bytes = reinterpret_cast<const uint8_t*>(values.data());
    for (size_t i = 0; i < values.size() * sizeof(T); ++i) hash_ = (hash_ ^ bytes[i]) * 1099511628211ull;  // FNV-1a
  }

  void linear(cria_dtype dtype, int exponent) {
    const int64_t rows = 13, out = 67, in = 39;
    const auto x = as(dtype, numbers_.floats(rows * in, exponent));
    const auto w = as(dtype, numbers_.floats(out * in, exponent));
    const auto dy = as(dtype, numbers_.floats(rows * out, exponent));
    std::vector<float> y(rows * out), dx(rows * in), dw(out * in);
    kernels_.linear_forward(context_, y.data(), x.data(), w.data(), nullptr, rows, out, in, dtype, CRIA_F32);
    kernels_.linear_backward_input(context_, dx.data(), dy.data(), w.data(), rows, out, in, 0, dtype, CRIA_F32);
    kernels_.linear_backward_weight(context_, dw.data(), dy.data(), x.data(), rows, out, in, 0, dtype);
    absorb(y);
    absorb(dx);
    absorb(dw);
  }

  void attention(cria_dtype dtype) {
    const cria_attention_sizes sizes{1, 51, 51, 4, 2, 10};
    const size_t queries = 51 * 4 * 10, keys = 51 * 2 * 10;
    const auto q = as(dtype, numbers_.floats(queries));
    const auto k = as(dtype, numbers_.floats(keys));
    const auto v = as(dtype, numbers_.floats(keys));
    const auto dout = as(dtype, numbers_.floats(queries));
    std::vector<uint8_t> out(q.size()), dq(q.size()), dk(k.size()), dv(v.size());
    std::vector<float> lse(51 * 4);
    kernels_.attention_forward(context_, out.data(), lse.data(), q.data(), k.data(), v.data(), sizes, dtype);
    kernels_.attention_backward(context_, dq.data(), dk.data(), dv.data(), out.data(), lse.data(), dout.data(),
                                q.data(), k.data(), v.data(), sizes, dtype);
    for (const auto* result : {&out, &dq, &dk, &dv}) absorb(*result);
    absorb(lse);
  }

  void elementwise(cria_dtype dtype) {
    const int64_t rows = 5, width = 38;
    const auto x = numbers_.floats(rows * width);
    const auto dy = numbers_.floats(rows * width);
    const auto weight = numbers_.floats(width);
    std::vector<uint8_t> y(rows * width * (dtype == CRIA_BF16 ? 2 : 4));
    std::vector<float> rstd(rows), dx(rows * width), dweight(width);
    kernels_.rms_norm_forward(context_, y.data(), rstd.data(), x.data(), weight.data(), rows, width, 1e-6f, dtype);
    kernels_.rms_norm_backward(context_, dx.data(), nullptr, dweight.data(), rstd.data(), x.data(), dy.data(),
                               x.data(), weight.data(), rows, width);
    absorb(y);
    absorb(dx);
    absorb(dweight);
    const auto gate = as(dtype, x), up = as(dtype, dy);
    kernels_.swiglu_backward(context_, y.data(), y.data(), up.data(), gate.data(), up.data(), rows * width, dtype);
    absorb(y);
    kernels_.swiglu_forward(context_, y.data(), gate.data(), up.data(), rows * width, dtype);
    kernels_.rotary(context_, y.data(), x.data(), dy.data(), rows, rows, 0, 1, width, 0, dtype);
    absorb(y);
  }

  void headLoss(cria_dtype dtype) {
    const int64_t rows = 7, width = 18, vocabulary = 101;
    auto scaled = numbers_.floats(rows * width);
    for (int64_t j = 0; j < width; ++j) scaled[j] *= 100.0f;  // one row far outside the usual range
    const auto x = as(dtype, scaled);
    const auto w = as(dtype, numbers_.floats(vocabulary * width));
    const auto targets = numbers_.below(rows, vocabulary);
    std::vector<float> losses(rows), dx(rows * width), dw(vocabulary * width);
    kernels_.head_loss(context_, losses.data(), dx.data(), dw.data(), x.data(), w.data(), targets.data(), rows, width,
                       vocabulary, 0, dtype);
    absorb(losses);
    absorb(dx);
    absorb(dw);
  }

  void exactSum() {
    const auto gradient = numbers_.floats(1000, -8);
    std::vector<int32_t> small(1024);
    std::vector<double> wide(1024);
    std::vector<uint8_t> isWide(4);
    std::vector<uint64_t> digest(1);
    std::vector<float> mean(1024);
    const cria_accumulator acc{small.data(), wide.data(), isWide.data()};
    int flagged = 0;
    kernels_.accumulate_gradient(context_, acc, digest.data(), &flagged, gradient.data(), 1000, 0, 32);
    std::vector<uint8_t> packed(4);
    int64_t payloadBytes = 0;
    kernels_.pack_widths(context_, packed.data(), &payloadBytes, acc, 4);
    packed.resize(static_cast<size_t>(4 + payloadBytes));
    kernels_.pack(context_, packed.data() + 4, packed.data(), acc, 4);
    kernels_.unpack_mean(context_, mean.data(), packed.data(), static_cast<int64_t>(packed.size()), 4, 0x1p-35);
    absorb(digest);
    absorb(packed);
    absorb(mean);
  }

  void optimizer() {
    auto params = numbers_.floats(100), expAvg = numbers_.floats(100, -20);
    auto expAvgSq = numbers_.floats(100, -130);  // denormals are kept here
    for (float& value : expAvgSq) value = value < 0 ? -value : value;
    const auto gradient = numbers_.floats(100, -60);
    const cria_adamw_scalars scalars{0.9f, 0.95f, 0.1f, 0.05f, 1e-8f, 0.9999f, 1e-3f, 1.5f, 0.5f};
    std::vector<double> chunks(1);
    kernels_.adamw_update(context_, params.data(), expAvg.data(), expAvgSq.data(), gradient.data(), 100, 1, scalars);
    kernels_.square_sum(context_, chunks.data(), params.data(), 100);
    absorb(params);
    absorb(expAvg);
    absorb(expAvgSq);
    absorb(chunks);
  }

  const cria_kernels& kernels_;
  cria_context* context_;
  Numbers numbers_;
  uint64_t hash_ = 14695981039346656037ull;
};

}  // namespace

uint64_t selfTest(const cria_kernels& kernels) { return SelfTest(kernels).run(); }

}  // namespace cria
