# docs/refusals.md names a test for each line. Each of them is there, has the
# number in it, and no number is missing.

use strict;
use warnings;

use Test::More;

my %lines = (C => 11, H => 11, K => 11, S => 6, L => 13, J => 9, B => 12,
             I => 14, E => 9);

sub text_of {
    my ($file) = @_;

    open my $in, '<', $file or return undef;
    local $/;
    return <$in>;
}

sub file_of {
    my ($word) = @_;

    return $word =~ /^\d/ ? (glob "t/$word-*.t")[0] : "test/unit/${word}_test.c";
}

my %row = text_of('docs/refusals.md') =~ /^\| ([A-Z]\d+) \|.*\| ([^|]+) \|$/mg;

is_deeply [sort keys %row], [sort map { my $c = $_;
    map { "$c$_" } 1 .. $lines{$c} } keys %lines], 'all lines are there';

for my $number (sort keys %row) {
    for my $word (split ' ', $row{$number}) {
        my $text = text_of(file_of($word) // '') // '';
        like $text, qr/\b$number\b[^\n]*:[ ]|"[^"\n]*\b$number\b[^"\n]*",/,
            "$number: $word";
    }
}

done_testing;
