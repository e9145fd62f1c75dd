// Undoes the cuts of a perfect packing, as far as coincidences give them away.
//
// Where not one byte may stay free, sizes and lifetimes agree for a reason: a buffer as large as
// the one that starts where it ends was probably one with it before somebody cut them apart, for
// nothing but that cut makes two sizes equal. So pieces are joined again, each joint a rectangle
// that is a piece from then on, down to a few large ones that a search packs easily:
//
//   stack        two of one lifetime, one above the other
//   neighbours   what ends at a boundary and what starts there, equally high
//   pinwheel     four arms around a core k:  d = c + k,  b = a + k
//
//        +---+-------+        Each side of a joint may be a few pieces of one lifetime, stacked.
//        |   |   c   |        Which joint comes first? The one that chance explains worst: its
//        | d +---+---+        `accidents` are how many alternatives there are of its kind, times
//        |   | k |   |        the chance that one of them fits. Two sizes agree by chance about
//        +---+---+ b |        once in as many cases as there are bytes in them.
//        |   a   |   |
//        +-------+---+
//
// Only the smallest joints count: two at one boundary, one above the other, look like one. Of
// planted instances whose cuts are known the joints of up to 0.1 accidents are right in 97 cases of
// 100, those of one in about 70.
//
// Guarantee: each packing of the joined instance is one of the instance. The converse fails where a
// joint is an accident, so an exhausted search of what is joined proves nothing. Another seed, with
// noise on the accidents, undoes other cuts.
//
// Cost: a millisecond for 1000 buffers whose lifetimes begin at 300 boundaries; more where there
// are dozens of buffers at each. Bundles and joints are kept by boundary and found anew only where
// something was joined.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <unordered_map>
#include <vector>

#include "lowtide/base/limits.h"
#include "lowtide/layout/search/instance.h"

namespace lowtide {

class Rejoin {
 public:
  struct Options {
    double most_accidents = 1;  // joints of more are left alone
    double noise = 0;           // on their logarithm
    std::uint64_t seed = 0;
  };

  // Where alignments or offsets are given nothing is joined. Spends the meter; what it ends is left
  // half joined, which does no harm.
  Rejoin(const Instance& instance, const Options& options, Meter* meter);

  const Instance& joined() const { return joined_; }
  // By buffer of the instance, of a layout of joined().
  std::vector<Bytes> offsets(const std::vector<Bytes>& of_joined) const;

 private:
  static constexpr int kMaxCount = 6;

  struct Member {
    int buffer;
    Bytes offset;
  };
  struct Piece {
    SectionRange range;
    Bytes size;
    Step length;
    std::vector<Member> members;
    bool is_live = true;
  };
  // Pieces of one lifetime, stacked: bits of a side's list.
  struct Bundle {
    SectionRange range;
    Bytes size;
    int count;
    std::uint64_t bits;
  };
  // What ends or what starts at a boundary.
  struct Side {
    std::vector<int> pieces;
    std::vector<Bundle> bundles;                   // by size
    std::vector<Bundle> arms;                      // those of one or two pieces, by size
    std::array<double, kMaxCount + 1> of_count{};  // how many bundles of that many pieces
  };
  struct Part {
    const Side* side = nullptr;
    std::uint64_t bits = 0;
    Bytes offset = 0;
  };
  // Good as long as neither boundary has changed.
  struct Joint {
    double accidents;
    std::array<int, 2> boundary;
    std::array<int, 2> version;
    std::array<Part, 5> parts;
  };

  void add_piece(Piece piece);
  void join_all();
  void find_joints();
  std::vector<Joint> most_certain_joints() const;
  static void fill_bundles(const std::vector<Piece>& pieces, Side* side);
  double chance(Bytes size) const;
  void find_stacks(int boundary);
  void find_neighbours(int boundary);
  void find_pinwheels(int boundary);
  void find_pinwheels(int boundary, const Bundle& core, const Bundle& arm);
  double pinwheel_alternatives(int x1, int x2, int count) const;
  void add(std::array<int, 2> boundary, double accidents, std::initializer_list<Part> parts);
  void apply(const Joint& joint);
  void remove(int piece);
  void touch(int boundary);
  void build();

  const Instance& instance_;
  const Options options_;
  Meter* meter_;
  std::mt19937_64 random_;
  std::unordered_map<Bytes, int> number_of_;  // buffers, by size
  std::vector<Piece> pieces_;
  std::vector<Side> enders_;  // by boundary; boundary x is between sections x - 1 and x
  std::vector<Side> starters_;
  std::vector<int> version_;
  std::vector<char> is_stale_;
  std::vector<std::vector<Joint>> joints_;  // by (first) boundary
  Instance joined_;
};

}  // namespace lowtide
