package Plot;

# Pictures for bench/report: SVG as text, readable where the reader's screen is
# light and where it is dark.
#
#   bars(title => ..., note => ..., bars => [{ label, group, median, min, max
#        }, ...], groups => { group => 'its name' })
#   lines(note => ..., charts => [{ title, lines => [{ label, points => [{ x,
#         median, min, max }, ...] }, ...] }, ...])
#
# Ratios, so the axis of bars is logarithmic and crosses at 1; x of lines is
# logarithmic too.

use strict;
use warnings;

use Exporter qw(import);
use List::Util qw(max min);

our @EXPORT = qw(bars lines);

my %colour = (nginx => 'c0', ours => 'c1', others => 'c2');
my $STYLE = <<'CSS';
<style>
  text { font: 13px system-ui, "DejaVu Sans", sans-serif; fill: #1b1f24 }
  .title { font-size: 15px; font-weight: 600 }
  .note { font-size: 12px; fill: #57606a }
  .end { text-anchor: end } .middle { text-anchor: middle }
  .page { fill: #ffffff }
  .grid { stroke: #d0d7de } .one { stroke: #57606a }
  .whisker { stroke: #1b1f24 } .line { fill: none; stroke-width: 2 }
  .c0 { fill: #8c959f } .c1 { fill: #2563c9 } .c2 { fill: #bf5b04 }
  .s1 { stroke: #2563c9 } .s2 { stroke: #bf5b04 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .note { fill: #9ea7b3 }
    .page { fill: #0d1117 }
    .grid { stroke: #30363d } .one { stroke: #9ea7b3 }
    .whisker { stroke: #e6edf3 }
    .c0 { fill: #7d8590 } .c1 { fill: #58a6ff } .c2 { fill: #f0883e }
    .s1 { stroke: #58a6ff } .s2 { stroke: #f0883e }
  }
</style>
CSS


sub svg {
    my ($width, $height, @part) = @_;

    return qq(<svg xmlns="http://www.w3.org/2000/svg" width="$width" )
        . qq(height="$height" viewBox="0 0 $width $height" role="img">\n)
        . $STYLE
        . qq(<rect class="page" width="$width" height="$height"/>\n)
        . join("\n", @part) . "\n</svg>\n";
}


sub text {
    my ($x, $y, $text, $class) = @_;

    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;
    return sprintf '<text x="%.1f" y="%.1f" class="%s">%s</text>', $x, $y,
        $class // '', $text;
}


sub line {
    my ($class, @at) = @_;

    return sprintf '<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" '
        . 'y2="%.1f"/>', $class, @at;
}


sub rect {
    my ($class, @at) = @_;

    return sprintf '<rect class="%s" x="%.1f" y="%.1f" width="%.1f" '
        . 'height="%.1f"/>', $class, @at;
}


sub bars {
    my (%opt) = @_;

    my ($left, $right, $top, $step) = (330, 800, 96, 25);
    my @bar = @{ $opt{bars} };
    my $least = log min(0.8, map { 0.95 * $_->{min} } @bar);
    my $most = log(1.3 * max map { $_->{max} } @bar);
    my $at = sub {
        $left + ($right - $left) * (log($_[0]) - $least) / ($most - $least)
    };
    my $bottom = $top + $step * @bar;
    my @part = (text(16, 26, $opt{title}, 'title'),
                text(16, 46, $opt{note}, 'note'), legend($opt{groups}));

    for my $tick (grep { log($_) < $most } 1, 2, 5, 10, 20, 50, 100) {
        push @part,
            line($tick == 1 ? 'one' : 'grid', $at->($tick), $top - 4,
                 $at->($tick), $bottom),
            text($at->($tick), $bottom + 18, $tick, 'middle');
    }

    for my $i (0 .. $#bar) {
        my ($bar, $y) = ($bar[$i], $top + $step * $i);
        my @x = map { $at->($bar->{$_}) } qw(min median max);
        my ($from, $to) = sort { $a <=> $b } $at->(1), $x[1];
        my $middle = $y + $step / 2 - 2;

        push @part, text($left - 12, $y + 15, $bar->{label}, 'end'),
            rect($colour{$bar->{group}}, $from, $y + 3,
                 max(1.5, $to - $from), $step - 10),
            line('whisker', $x[0], $middle, $x[2], $middle),
            text($right + 12, $y + 15, sprintf '%.2f', $bar->{median});
    }

    return svg(870, $bottom + 32, @part);
}


sub legend {
    my ($groups) = @_;

    my $x = 16;

    return map {
        my @part = (rect($colour{$_}, $x, 60, 12, 12),
                    text($x + 18, 71, $groups->{$_}));
        $x += 36 + 8 * length $groups->{$_};
        @part;
    } qw(nginx ours others);
}


sub lines {
    my (%opt) = @_;

    my ($width, $height, $columns) = (420, 262, 2);
    my @chart = @{ $opt{charts} };
    my @part = text(16, 26, $opt{note}, 'note');

    for my $i (0 .. $#chart) {
        push @part, sprintf('<g transform="translate(%d %d)">',
            $width * ($i % $columns), 36 + $height * int $i / $columns),
            chart($chart[$i]), '</g>';
    }

    return svg($width * $columns,
               40 + $height * int((@chart + $columns - 1) / $columns), @part);
}


sub chart {
    my ($chart) = @_;

    my ($left, $right, $top, $bottom) = (56, 392, 62, 220);
    my @line = @{ $chart->{lines} };
    my @point = map { @{ $_->{points} } } @line;
    my @x = sort { $a <=> $b } keys %{ { map { $_->{x} => 1 } @point } };
    my $high = top_of(max map { $_->{max} } @point);
    my $x = sub {
        $left + 12 + ($right - $left - 24)
            * log($_[0] / $x[0]) / log($x[-1] / $x[0])
    };
    my $y = sub { $bottom - ($bottom - $top) * $_[0] / $high };
    my @part = text(16, 18, $chart->{title}, 'title');

    for my $tick (map { $_ * $high / 4 } 0 .. 4) {
        push @part, line('grid', $left, $y->($tick), $right, $y->($tick)),
            text($left - 8, $y->($tick) + 4, 0 + sprintf('%.2f', $tick),
                 'end');
    }

    push @part, line('one', $left, $y->(1), $right, $y->(1)),
        map { text($x->($_), $bottom + 18, number($_), 'middle') } @x;

    for my $i (0 .. $#line) {
        my @at = map { [$x->($_->{x}), map { $y->($_) } @$_{
            qw(median min max)}] } sort { $a->{x} <=> $b->{x} }
            @{ $line[$i]{points} };
        my $n = $i + 1;

        push @part, rect("c$n", 16 + 190 * $i, 30, 12, 12),
            text(34 + 190 * $i, 41, $line[$i]{label}, 'note'),
            map({ line("s$n", $_->[0], $_->[2], $_->[0], $_->[3]) } @at),
            sprintf('<polyline class="line s%d" points="%s"/>', $n,
                    join ' ', map { sprintf '%.1f,%.1f', @$_[0, 1] } @at),
            map { sprintf '<circle class="c%d" cx="%.1f" cy="%.1f" r="3.5"/>',
                  $n, @$_[0, 1] } @at;
    }

    return @part;
}


# The least of these that is high enough.
sub top_of {
    my ($most) = @_;

    return min grep { $_ >= $most } map { my $ten = 10 ** $_;
        map { $_ * $ten } 1, 1.6, 2, 4, 6, 8 } 0 .. 4;
}


sub number { scalar reverse join ' ', reverse($_[0]) =~ /(\d{1,3})/g }


1;
